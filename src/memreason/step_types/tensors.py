"""Writes tensors as safetensors files, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save

from memreason.runtime.files import replace_file


def write_tensors(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """Write ``tensors`` to a file beside ``path``, and move it to ``path`` when it is complete."""
    replace_file(path, save(tensors, metadata))
