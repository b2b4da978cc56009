"""`--to merged`: a plain model folder, for transformers, vLLM and llama.cpp's converter."""

from __future__ import annotations

from pathlib import Path

from memreason.export.base import Exported
from memreason.export.config import ExportConfig


def export(config: ExportConfig) -> Exported:
    """Write the merged model, verify it, and return what was written."""
    raise NotImplementedError


def write_merged(
    checkpoint: Path,
    folder: Path,
    base: str | None = None,
    dtype: str | None = None,
    max_shard_size: str = "5GB",
) -> Path:
    """Write the checkpoint, with its adapters merged, as plain safetensors with tokenizer, chat template and generation
    config into ``folder``, which must be empty or not there; returns ``folder``.

    Nothing is verified here. ``base`` is the base model, if it has moved; ``dtype`` the data type of the weights
    (default: the checkpoint's). Raises UserError for what cannot be merged.
    """
    raise NotImplementedError
