"""`--to merged`: a plain model folder, for transformers, vLLM and llama.cpp's converter."""

from __future__ import annotations

import dataclasses
import gc
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from tqdm.auto import tqdm
from transformers import PreTrainedModel

from memreason.config.checks import PREFIX_TUNING
from memreason.config.run import recorded_options
from memreason.errors import UserError
from memreason.export.base import Exported, check_dense, files_in, new_folder, write_marker
from memreason.export.chat_template import with_chat_template
from memreason.export.config import ExportConfig
from memreason.export.older_readers import make_readable
from memreason.export.questions import fitting, questions_of, some_of
from memreason.export.readme import merged_readme
from memreason.export.verify import Reference, add_merged, in_fresh_process, reference_of
from memreason.generation.backends import plain
from memreason.models.load import load
from memreason.models.manifest import Manifest, read_manifest
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.prompt import message_text
from memreason.records import Question
from memreason.runtime.devices import choose_device
from memreason.runtime.files import write_json
from memreason.runtime.interruptions import as_os_error


def export(config: ExportConfig) -> Exported:
    """Write the merged model, verify it in a fresh process, and return what was written.

    On any failure, nothing is left. Raises UserError for what cannot be merged, and where the written model does not
    do what the checkpoint does.
    """
    manifest = read_manifest(config.checkpoint)
    check_can_merge(config.checkpoint, manifest)
    questions = questions_of(config.checkpoint)
    with (
        new_folder(config.folder, config.overwrite_output_dir) as folder,
        tempfile.TemporaryDirectory(prefix="memreason-export-") as work,
        tqdm(total=2 * config.verify_questions, unit="q") as bar,
    ):
        reference, differing = _write_with_reference(config, folder, list(questions), bar)
        gc.collect()  # the checkpoint goes before the other process loads what was written
        bar.set_description("verifying what was written")
        device = choose_device(config.device)
        checks = in_fresh_process(folder, reference, device, Path(work), bar)
        recorded = {question: text for question, text in questions.items() if text is not None}
        written = read_manifest(folder)
        if recorded and written.dtype == manifest.dtype:
            checks["as_evaluate_recorded"] = _as_recorded(reference, manifest, recorded)
        notes = notes_on_use(config.checkpoint, manifest, differing)
        readme = merged_readme(config.folder.resolve().name, reference.example, written, checks, notes)
        (folder / "README.md").write_text(readme, encoding="utf-8")
        write_marker(folder, config.to, checks)
    return Exported(config.folder, files_in(config.folder), checks, notes)


def write_merged(
    checkpoint: Path,
    folder: Path,
    base: str | None = None,
    dtype: str | None = None,
    max_shard_size: str = "5GB",
) -> list[Question]:
    """Write the checkpoint, with its adapters merged, as plain safetensors with tokenizer, chat template and generation
    config into ``folder``, which must be empty or not there. Returns the questions of the evaluation whose prompts
    other programs read in other ids than training.

    Nothing is verified here. ``base`` is the base model, if it has moved; ``dtype`` the data type of the weights
    (default: the checkpoint's). There is one copy of the model in memory, and one file of its weights beside it.
    Raises UserError for what cannot be merged.
    """
    check_can_merge(checkpoint, read_manifest(checkpoint))
    unit = load(checkpoint, base, dtype, bits=0, device=choose_device("cpu"))
    differing = with_chat_template(unit.tokenizer, unit.layout, list(questions_of(checkpoint)))
    _write(plain(unit.merge()), unit, folder, max_shard_size)
    return differing


def check_can_merge(checkpoint: Path, manifest: Manifest) -> None:
    """Raise UserError for a checkpoint that no plain model can be made of."""
    if manifest.parameter_efficient_mode == PREFIX_TUNING:
        raise UserError(
            f"{checkpoint}: mode {PREFIX_TUNING} trains keys and values before every text, which are no weights of the "
            "model and cannot be merged into it; export --to adapter, for PEFT"
        )
    check_dense(checkpoint, manifest)


def generation_settings(unit: ModelUnit) -> dict[str, Any]:
    """The content of `generation_config.json`: greedy, up to our end token, and as long as `memreason` answers.

    The temperature 0 is for servers, which do not read `do_sample`.
    """
    settings: dict[str, Any] = {"do_sample": False, "temperature": 0.0, "eos_token_id": unit.end_id}
    settings |= {"pad_token_id": unit.tokenizer.pad_token_id, "max_length": unit.manifest.model_max_length}
    if unit.tokenizer.bos_token_id is not None:
        settings["bos_token_id"] = unit.tokenizer.bos_token_id
    return settings


def _write_with_reference(
    config: ExportConfig, folder: Path, questions: list[Question], bar: tqdm
) -> tuple[Reference, list[Question]]:
    """Write the model; returns what the checkpoint computes, and the questions whose prompts cannot be put as training
    did. The model is freed at the end."""
    bar.set_description("loading the checkpoint")
    unit = load(
        config.checkpoint, config.base_model_name_or_path, config.dtype, bits=0, device=choose_device(config.device)
    )
    differing = with_chat_template(unit.tokenizer, unit.layout, questions)
    usable = fitting(unit, [question for question in questions if question not in differing])
    tried = some_of(usable, config.verify_questions)
    chosen = set(tried)
    others = [question for question in usable if question not in chosen]
    reference = reference_of(unit, [*tried, *others])
    bar.set_description("merging and writing")
    model = plain(unit.merge())
    _write(model, unit, folder, config.max_shard_size)
    bar.reset(2 * len(tried))
    bar.set_description("answers of the checkpoint")
    add_merged(model, unit, reference, generation_settings(unit), len(tried), bar)
    return reference, differing


def _write(model: PreTrainedModel, unit: ModelUnit, folder: Path, max_shard_size: str) -> None:
    for part in {id(part): part for part in (model.config, model.config.get_text_config())}.values():
        part.eos_token_id = unit.end_id
    try:
        model.save_pretrained(folder, max_shard_size=max_shard_size)
    except SafetensorError as error:  # it is not an OSError, even where the disk is full
        raise as_os_error(error, folder) or error from error
    for file in folder.glob("*.safetensors"):  # which are for this user only, whatever the umask says
        shutil.copymode(folder / "config.json", file)
    unit.tokenizer.save_pretrained(folder)
    write_json(folder / "generation_config.json", generation_settings(unit))
    make_readable(folder)
    # memreason itself reads the folder as a checkpoint whose weights were all trained.
    whole = dataclasses.replace(unit.manifest, parameter_efficient_mode="none", bits=None)
    whole.write(folder)


def _as_recorded(reference: Reference, manifest: Manifest, recorded: dict[Question, str]) -> str:
    prefix = "".join(manifest.planning_tokens.prefix)
    texts = {message_text(question): text for question, text in recorded.items()}
    pairs = zip(reference.messages, reference.answers, strict=False)
    same = sum(texts.get(message) == prefix + answer for message, answer in pairs)
    return f"{same} of {len(reference.answers)}"


def notes_on_use(checkpoint: Path, manifest: Manifest, differing: Sequence[Question]) -> tuple[str, ...]:
    """What a user of the merged model should know, one sentence each. ``differing`` are questions whose prompts other
    programs read in other ids than training."""
    options = recorded_options(checkpoint)
    notes = []
    if manifest.bits:
        notes.append(
            f"Training quantized the base model to {manifest.bits} bits; the adapters are merged into its own weights, "
            "so that single answers can differ from those of `memreason evaluate`."
        )
    if options.get("use_demonstrations"):
        notes.append(
            "Training showed solved examples before each question; other programs show only what stands in earlier "
            "messages of the conversation."
        )
    if options.get("use_calculator"):
        notes.append(
            "In marks such as <<48/2=24>> the model writes the results itself: other programs do not compute them."
        )
    if differing:
        notes.append(
            f"{len(differing)} of the questions get other ids than in training, the first one being: "
            f"{differing[0].text[:60]!r}."
        )
    return tuple(notes)
