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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in a browser is slow: it takes seconds to start."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Shape → folder of a tiny base model."""
    import torch
    from helpers.tiny import SHAPES, make_base

    torch.set_num_threads(1)  # tiny matrices only wait for each other on more
    root = tmp_path_factory.mktemp("bases")
    return {shape: make_base(root / shape, shape) for shape in SHAPES}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four solutions as train, validation and test: what is memorised shows."""
    from helpers.tiny import SOLUTIONS

    from memreason.records import Question, Solution
    from memreason.tasks.jsonl import export_jsonl

    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "validation", "test"):
        # A word differs, so that no split repeats another's question.
        texts = {"train": "{}", "validation": "So: {}", "test": "Now: {}"}
        solutions = [
            Solution(
                Question(f"{split}-{s.question.id}", texts[split].format(s.question.text), s.question.answer), s.steps
            )
            for s in SOLUTIONS
        ]
        export_jsonl(solutions, folder / f"{split}.jsonl")
    return folder
