"""Writing a checkpoint: adapters and new rows (or all weights), the tokenizer, and the manifest."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from memreason.models.manifest import MANIFEST, Manifest
from memreason.models.sharding import is_sharded, plain_names, whole_weights
from memreason.runtime import distributed
from memreason.runtime.interruptions import as_os_error


def save_checkpoint(
    model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, manifest: Manifest, folder: Path
) -> None:
    """Write adapters and new rows (in mode `none`: all weights), tokenizer and manifest into ``folder``.

    The files are written into a temporary folder and moved when all are whole, the manifest last, so that no
    half-written file ever has its final name. With several processes, only the main one writes; if weights are
    sharded, all must call this. Raises OSError (a full disk, say); ``folder`` is then as it was.
    """
    whole = whole_weights(model) if is_sharded(model) else None
    if not distributed.is_main():
        return
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder, prefix=".saving."))
    try:
        _save_model(model, manifest, aside, whole)
        tokenizer.save_pretrained(aside)
        manifest.write(aside)
        for file in sorted(aside.iterdir(), key=lambda file: file.name == MANIFEST):
            os.replace(file, folder / file.name)
    except SafetensorError as error:  # it is not an OSError, even where the disk is full
        raise as_os_error(error, folder) or error from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _save_model(
    model: PreTrainedModel | PeftModel, manifest: Manifest, folder: Path, state_dict: dict[str, torch.Tensor] | None
) -> None:
    """``state_dict`` holds the whole weights if ``model`` is sharded, else it is None."""
    if not isinstance(model, PeftModel):
        model.save_pretrained(folder, state_dict=state_dict)
        return
    for config in model.peft_config.values():  # else the adapter's config would name a folder in this machine's cache
        config.base_model_name_or_path = manifest.hub_id or manifest.base_model
        config.revision = manifest.hub_revision or None
    with plain_names(model):
        model.save_pretrained(folder, save_embedding_layers=False, state_dict=state_dict)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
