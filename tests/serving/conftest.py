"""A tiny checkpoint that writes well-formed answers, and a server for it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.browsed import row, write
from helpers.browser import browser  # noqa: F401
from helpers.serving import running
from helpers.tiny import SOLUTIONS

from memreason.config.model import ModelConfig
from memreason.models.build import build
from memreason.records import MEMORY, REASON, Question, Solution, Step
from memreason.serving.browse.library import Library
from memreason.serving.guard import Guard
from memreason.serving.page import Page
from memreason.serving.server import Server
from memreason.training.collation import collate
from memreason.training.encoding import encode_solutions

ASKED = Question("q", "Is Rome the capital of France?", "", dataset="capitals", split="train")
UNDECIDED = [
    Solution(replace(ASKED, answer=answer), (Step(MEMORY, f"The capital of France is {city}."), Step(REASON, reason)))
    for city, reason, answer in (("Paris", "Rome is not Paris.", "False"), ("Rome", "Rome is Rome.", "True"))
]
"""One question, two memories: what is answered depends on the memory alone."""


def trained(base: Path, solutions: Sequence[Solution], folder: Path) -> Path:
    torch.manual_seed(0)
    config = ModelConfig(
        model_name_or_path=str(base), parameter_efficient_mode="none", dtype="float32",
        num_general_prefix_tokens=1, num_special_prefix_tokens=2,
    )  # fmt: skip
    unit = build(config, 200)
    examples, _ = encode_solutions(solutions, unit.layout, unit.tokenizer, 200)
    batch = collate(examples, unit.tokenizer.pad_token_id)
    optimizer = torch.optim.AdamW(unit.model.parameters(), lr=1e-2)
    for _ in range(80):
        unit.model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    unit.save(folder)
    return folder


@pytest.fixture(scope="session")
def checkpoint(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, `capitals`."""
    return trained(bases["tied"], SOLUTIONS, tmp_path_factory.mktemp("serving") / "capitals")


@pytest.fixture(scope="session")
def served(checkpoint: Path) -> Iterator[tuple[Server, str]]:
    """(server, address); its limits are the default ones."""
    with running(checkpoint) as both:
        yield both


@pytest.fixture(scope="session")
def paged(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server with a page, which needs the token `secret`; its model was trained on `UNDECIDED`. It has one trace."""
    folder = trained(bases["tied"], UNDECIDED, tmp_path_factory.mktemp("paged") / "undecided")
    write(folder / "evaluation", row("q", ASKED.text))
    with running(folder, page=Page(Guard("secret", loopback=True), Library([folder]))) as both:
        yield both
