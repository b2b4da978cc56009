"""Shared fixtures. Tests reach no hub and never touch the user's home."""

import os
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"  # tiny matrices only wait for each other on more, and a neighbour costs nothing
os.environ["MEMREASON_CACHE"] = os.environ.get("MEMREASON_TEST_CACHE") or tempfile.mkdtemp(prefix="memreason-cache-")
os.environ.pop("HF_TOKEN", None)

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Shape → folder of a tiny base model."""
    import torch
    from tiny import SHAPES, make_base

    torch.set_num_threads(1)  # tiny matrices only wait for each other on more
    root = tmp_path_factory.mktemp("bases")
    return {shape: make_base(root / shape, shape) for shape in SHAPES}
