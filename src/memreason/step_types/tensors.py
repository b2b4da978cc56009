"""Writes tensors as safetensors files, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from memreason.runtime.files import create_beside


def write_tensors(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """Write ``tensors`` to a file beside ``path``, and move it to ``path`` when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = create_beside(path)
    try:
        with open(handle, "wb") as file:
            file.write(save(tensors, metadata))
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise
