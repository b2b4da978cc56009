"""`--to gguf`: one file for llama.cpp and what is built on it (llama-server, Ollama, LM Studio)."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

from transformers import AutoConfig

from memreason.export.base import Exported, files_in, new_folder, write_marker
from memreason.export.config import GGUF_TYPES, ExportConfig
from memreason.export.gguf_architectures import architecture_of
from memreason.export.gguf_file import Source, open_source, read_back, write_gguf
from memreason.export.gguf_run import is_installed
from memreason.export.gguf_verify import compare
from memreason.export.merged import check_can_merge, notes_on_use, write_merged
from memreason.models.base import base_of
from memreason.models.load import load
from memreason.models.manifest import Manifest, read_manifest
from memreason.models.weights import load_tokenizer
from memreason.planning_tokens.prompt import CHAT
from memreason.runtime.devices import choose_device


def export(config: ExportConfig) -> Exported:
    """Write the merged model as a GGUF file, verify it, and return what was written.

    The file is read back in any case; where llama-cpp-python is installed, it is also run. Raises UserError, and leaves
    nothing behind, for a model or tokenizer that llama.cpp does not have exactly, and where the file does not do what
    the model does.
    """
    manifest = read_manifest(config.checkpoint)
    check_can_merge(config.checkpoint, manifest)
    _check_architecture(config, manifest)
    name = config.checkpoint.resolve().name
    with (
        new_folder(config.folder, config.overwrite_output_dir) as folder,
        tempfile.TemporaryDirectory(prefix=".merged.", dir=folder.parent) as work,
    ):
        merged = Path(work)
        differing = write_merged(config.checkpoint, merged, config.base_model_name_or_path, config.dtype)
        gc.collect()
        end_id = manifest.planning_tokens.end_id(load_tokenizer(str(config.checkpoint)))
        chat = manifest.planning_tokens.prompt_template == CHAT
        source = open_source(merged, set(manifest.token_ids.values()), end_id, chat, config.checkpoint)
        type_ = config.gguf_type or GGUF_TYPES[0]
        path = folder / f"{name}-{type_.upper()}.gguf"
        write_gguf(source, path, type_, name)
        tensors, error = read_back(source, path)
        checks = {"tensors": f"{tensors} read back, relative error at most {error:.1e}"}
        if is_installed():
            unit = load(merged, device=choose_device(config.device))
            checks |= compare(unit, config, path, source.words.chat_template)
        write_marker(folder, config.to, checks)
    notes = (*_notes(source, config.folder / path.name), *notes_on_use(config.checkpoint, manifest, differing))
    return Exported(config.folder, files_in(config.folder), checks, notes)


def _check_architecture(config: ExportConfig, manifest: Manifest) -> None:
    """Raise UserError, before anything is loaded, where llama.cpp does not have this kind of model."""
    path = str(config.checkpoint)
    if manifest.parameter_efficient_mode != "none":
        given = config.base_model_name_or_path
        path = base_of(config.checkpoint, manifest.base_model, manifest.base_revision, given).path
    architecture_of(AutoConfig.from_pretrained(path).get_text_config(), config.checkpoint)


def _notes(source: Source, path: Path) -> tuple[str, ...]:
    notes = [f"To run it: llama-server -m {path} --jinja; a message is a question, options follow on a second line.",
             *source.words.notes]  # fmt: skip
    if source.context_length < source.tensors.config.max_position_embeddings:
        notes.append(f"llama.cpp has no windows for this model, so texts end at {source.context_length} tokens.")
    if not is_installed():
        notes.append("The file was not run: pip install llama-cpp-python, and export again, to compare its answers.")
    return tuple(notes)
