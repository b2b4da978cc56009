"""A tiny checkpoint that writes well-formed answers, and a server for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.serving import running
from helpers.tiny import SOLUTIONS

from memreason.config.model import ModelConfig
from memreason.models.build import build
from memreason.serving.server import Server
from memreason.training.collation import collate
from memreason.training.encoding import encode_solutions


@pytest.fixture(scope="session")
def checkpoint(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, `capitals`."""
    folder = tmp_path_factory.mktemp("serving") / "capitals"
    torch.manual_seed(0)
    config = ModelConfig(
        model_name_or_path=str(bases["tied"]), parameter_efficient_mode="none", dtype="float32",
        num_general_prefix_tokens=1, num_special_prefix_tokens=2,
    )  # fmt: skip
    unit = build(config, 200)
    examples, _ = encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, 200)
    batch = collate(examples, unit.tokenizer.pad_token_id)
    optimizer = torch.optim.AdamW(unit.model.parameters(), lr=1e-2)
    for _ in range(80):
        unit.model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    unit.save(folder)
    return folder


@pytest.fixture(scope="session")
def served(checkpoint: Path) -> Iterator[tuple[Server, str]]:
    """(server, address); its limits are the default ones."""
    with running(checkpoint) as both:
        yield both
