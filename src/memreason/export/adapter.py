"""`--to adapter`: a folder that plain PEFT loads, for those who serve adapters."""

from __future__ import annotations

import gc
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.export.base import Exported, check_dense, check_output, files_in, new_folder, write_marker
from memreason.export.chat_template import with_chat_template
from memreason.export.config import ExportConfig
from memreason.export.merged import notes_on_use
from memreason.export.older_readers import make_tokenizer_readable
from memreason.export.questions import questions_of
from memreason.export.readme import adapter_readme
from memreason.export.run_record import base_name
from memreason.export.verify import Reference, in_fresh_process, reference_of
from memreason.models.adapter_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from memreason.models.base import absolute, base_of
from memreason.models.load import load
from memreason.models.manifest import Manifest, read_manifest
from memreason.records import Question
from memreason.runtime.devices import choose_device
from memreason.runtime.files import read_json, write_json


def export(config: ExportConfig) -> Exported:
    """Write the adapter, verify it in a fresh process by PEFT alone, and return what was written.

    On any failure, nothing is left. Raises UserError for a checkpoint without an adapter or with sparse attention, and
    where the written adapter does not do what the checkpoint does.
    """
    manifest = read_manifest(config.checkpoint)
    if manifest.parameter_efficient_mode == "none":
        raise UserError(f"{config.checkpoint}: all weights were trained, so there is no adapter; export --to merged")
    check_dense(config.checkpoint, manifest)
    check_output(config.folder, config.overwrite_output_dir)
    given = config.base_model_name_or_path
    base = absolute(base_of(config.checkpoint, manifest.base_model, manifest.base_revision, given).path)
    with (
        new_folder(config.folder, config.overwrite_output_dir) as folder,
        tempfile.TemporaryDirectory(prefix="memreason-export-") as work,
    ):
        reference, end_id, differing = _write(config, folder)
        gc.collect()  # the checkpoint goes before the other process loads what was written
        checks = in_fresh_process(folder, reference, choose_device(config.device), Path(work), base=base)
        del checks["logits_changed_by_merging"]
        name = config.folder.resolve().name
        # The base model's own weights stay as they are, so what quantizing them would change is not said.
        used = notes_on_use(config.checkpoint, replace(manifest, bits=None), differing)
        notes = (*servers(read_json(folder / ADAPTER_CONFIG), manifest, name), *used)
        written = replace(manifest, dtype=reference.dtype)
        readme = adapter_readme(name, reference.example, written, end_id, checks, notes)
        (folder / "README.md").write_text(readme, encoding="utf-8")
        write_marker(folder, config.to, checks)
    return Exported(config.folder, files_in(config.folder), checks, notes)


def _write(config: ExportConfig, folder: Path) -> tuple[Reference, int, list[Question]]:
    """(what the checkpoint computes, the id of its end token, the questions that a chat template cannot put)."""
    unit = load(
        config.checkpoint, config.base_model_name_or_path, config.dtype, bits=0, device=choose_device(config.device)
    )
    questions = list(questions_of(config.checkpoint))
    differing = with_chat_template(unit.tokenizer, unit.layout, questions)
    reference = reference_of(unit, [question for question in questions if question not in differing])
    unit.tokenizer.save_pretrained(folder)
    make_tokenizer_readable(folder)
    shutil.copyfile(config.checkpoint / ADAPTER_WEIGHTS, folder / ADAPTER_WEIGHTS)
    options = read_json(config.checkpoint / ADAPTER_CONFIG)
    if config.base_model_name_or_path:
        options |= {"base_model_name_or_path": absolute(config.base_model_name_or_path), "revision": None}
    write_json(folder / ADAPTER_CONFIG, options)
    shutil.copymode(folder / ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS)
    return reference, unit.end_id, differing


def servers(options: dict[str, Any], manifest: Manifest, name: str) -> tuple[str, ...]:
    """Which servers can take the adapter whose PEFT configuration is ``options``, one sentence each."""
    if options.get("trainable_token_indices") or options.get("token_indices"):
        return (
            "PEFT loads the adapter, with its rows of new tokens.",
            "vLLM refuses such rows, as an unsupported LoRA weight (vllm-project/vllm#36501; a change that would take "
            "them is proposed in #55796).",
            "llama.cpp's convert_lora_to_gguf.py refuses every tensor that is neither lora_A nor lora_B "
            "(ggml-org/llama.cpp#11554, #9948).",
            "For these servers, export --to merged.",
        )
    if options["peft_type"] != "LORA" or options.get("target_parameters"):
        return (
            "PEFT loads the adapter; vLLM and llama.cpp take LoRA of linear layers only, so it was not tried there.",
        )
    base = base_name(manifest)  # without the place of a folder: this text may be published
    return (
        f"It is plain LoRA: `vllm serve {base} --enable-lora --lora-modules {name}={name} "
        f"--max-lora-rank {options['r']}` (vLLM takes the base model's tokenizer and chat template; give "
        f"`--chat-template {name}/chat_template.jinja`).",
        f"llama.cpp's `convert_lora_to_gguf.py {name}` makes a file for `--lora` of it.",
    )
