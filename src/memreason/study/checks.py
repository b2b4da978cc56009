"""Whether the arms of a study differ in nothing but their options: in data, order, amount of training and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memreason.config.run import read_options
from memreason.errors import UserError
from memreason.evaluation.files import METRICS
from memreason.evaluation.results import RunResult, read_result
from memreason.evaluation.training_account import TrainingAccount
from memreason.records import Question
from memreason.study.cells import Cell
from memreason.study.recipe import NOTHING, STEPS, TOKENS, Recipe

_TOLERANCE = 0.02
"""Share by which the number of training tokens may differ from what was asked for: whole steps seldom come closer."""
_OF_A_CELL = ("seed", "train_subset")
"""Options that the study itself sets for each cell."""


@dataclass(frozen=True)
class Trained:
    """What a finished cell of a trained arm was trained on, and the options that it was trained with."""

    cell: Cell
    account: TrainingAccount
    options: Mapping[str, Any]

    @staticmethod
    def read(cell: Cell, folder: Path) -> Trained:
        """Read it from the run's folder. Raises UserError where a file is damaged."""
        return Trained(cell, read_result(RunResult, folder / METRICS).training, read_options(folder))


def problems(recipe: Recipe, trained: Sequence[Trained]) -> list[str]:
    """What is not the same in all cells, though it should be, each in a sentence; none where all is well."""
    found: list[str] = []
    for size in sorted({each.cell.size for each in trained}, key=lambda size: (size is not None, size)):
        some = [each for each in trained if each.cell.size == size]
        found += _differing(some, "questions", "other questions")
        found += _differing(some, "solutions", "other solutions")
        for seed in sorted({each.cell.seed for each in some}, key=str):
            of_seed = [each for each in some if each.cell.seed == seed]
            found += _differing(of_seed, "order", "its questions in another order", "sampling by length, by tokens")
        found += _amounts(recipe, some)
    return found + list(_settings(recipe, trained))


def other_questions(asked: Mapping[str, Sequence[Question]]) -> list[str]:
    """The cells that were asked others than the first, in a sentence each. ``asked``: name of a cell → questions, which
    must be the same, with the same options and gold answers, in the same order."""
    told = {name: [(q.id, q.text, q.options, q.answer, q.split) for q in some] for name, some in asked.items()}
    first = next(iter(told), "")
    return [f"{name} was asked other test questions than {first}" for name, some in told.items() if some != told[first]]


def _differing(some: Sequence[Trained], name: str, what: str, hint: str = "") -> Iterator[str]:
    """The cells whose digest ``name`` is not that of the first."""
    first = some[0]
    expected = getattr(first.account, name)
    for each in some:
        if (value := getattr(each.account, name)) is None:
            yield f"{each.cell.name} did not record the {name} of its training" + (f" ({hint})" if hint else "")
        elif expected is not None and value != expected:
            yield f"{each.cell.name} was taught {what} than {first.cell.name}"


def _amounts(recipe: Recipe, some: Sequence[Trained]) -> Iterator[str]:
    """Cells that were trained for longer or shorter than the recipe's `match` allows."""
    if recipe.match == NOTHING:
        return
    first = some[0]
    for each in some:
        steps, tokens = each.account.optimizer_steps, each.account.trained_tokens
        if recipe.match == STEPS and (steps is None or steps != first.account.optimizer_steps):
            yield f"{each.cell.name} made {steps} optimizer steps, {first.cell.name} {first.account.optimizer_steps}"
        elif recipe.match == TOKENS:
            asked = int(each.options.get("num_train_tokens") or 0)
            if tokens is None or steps is None or abs(tokens - asked) > max(_TOLERANCE * asked, tokens / max(1, steps)):
                yield f"{each.cell.name} was trained on {tokens} tokens, and not on about {asked}"


def _settings(recipe: Recipe, trained: Sequence[Trained]) -> Iterator[str]:
    """Options that differ between cells although no arm names them."""
    own = {arm.name: {option.name for option in arm.options} for arm in recipe.arms}
    common: dict[str, tuple[Any, str]] = {}
    for each in trained:
        names = {name for other in trained for name in other.options} - own[each.cell.arm] - {*_OF_A_CELL}
        for name in sorted(names):
            value = each.options.get(name)
            was, where = common.setdefault(name, (value, each.cell.name))
            if value != was:
                yield f"{each.cell.name} was trained with {name} {value}, {where} with {was}"


def read_trained(cells: Sequence[tuple[Cell, Path]]) -> tuple[list[Trained], list[str]]:
    """(the cells that were trained, why some could not be read) of finished cells and their folders."""
    found, unreadable = [], []
    for cell, folder in cells:
        if cell.seed is None:
            continue
        try:
            found.append(Trained.read(cell, folder))
        except UserError as error:
            unreadable.append(f"{cell.name} cannot be read: {error}")
    return found, unreadable
