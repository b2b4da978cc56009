"""What a study will run, how long that takes, and which differences it will be able to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from memreason.compare.fields import values_of
from memreason.compare.pairing import Paired
from memreason.compare.result import Unpaired
from memreason.compare.statistics.power import Plan
from memreason.errors import UserError
from memreason.study.cells import Cell
from memreason.study.folder import StudyFolder
from memreason.study.progress import seconds_of, time_left
from memreason.study.recipe import Recipe
from memreason.tasks.base import TaskData

DISCORDANT, SPREADS, ALIKE = (0.1, 0.2, 0.3), (0.0, 0.01, 0.02), (0.0, 0.05)
"""What is assumed: the share of questions that a run of one arm answers rightly and a run of the other wrongly, or the
other way round; the spread of an arm's accuracy between seeds; and how alike the differences of two questions of a
cluster are (their correlation)."""


@dataclass(frozen=True)
class Row:
    """The smallest true difference in accuracy, in [0, 1], that is found with a chance of 80% on a split, for each share
    of discordant questions; None where none is."""

    split: str
    questions: int
    clusters: int | None
    runs: int
    seed_spread: float
    cluster_correlation: float
    smallest: Mapping[float, float | None]


@dataclass(frozen=True)
class StudyPlan:
    """A study that has not run, or not in full."""

    cells: int
    finished: int
    seconds: float | None
    """Of what is missing, with as many cells at once as asked for; None before any cell is finished."""
    power: tuple[Row, ...]


def plan_of(
    recipe: Recipe, folder: StudyFolder, cells: Sequence[Cell], at_once: int, task: TaskData | None
) -> StudyPlan:
    """The plan. ``task`` is the dataset, as `load_data` gives it; without it, nothing is said about power."""
    finished = [cell for cell in cells if folder.finished(cell)]
    left = [cell for cell in cells if cell not in finished]
    seconds = time_left(left, (), seconds_of(folder, finished), at_once)
    return StudyPlan(len(cells), len(finished), seconds, tuple(_power(recipe, task)) if task else ())


def _power(recipe: Recipe, task: TaskData) -> list[Row]:
    rows = []
    runs = len(recipe.seeds)
    for split in recipe.splits or task.test_splits:
        solutions = task.splits.get(split, ())
        if len(solutions) < 2:
            continue
        clusters = _clusters(recipe, task, split)
        for spread in SPREADS if runs > 1 else (0.0,):
            for alike in ALIKE if clusters else (0.0,):
                smallest = {
                    share: Plan(len(solutions), (runs, runs), share, None, spread, clusters, alike).smallest()
                    for share in DISCORDANT
                }
                rows.append(Row(split, len(solutions), clusters, runs, spread, alike, smallest))
    return rows


def _clusters(recipe: Recipe, task: TaskData, split: str) -> int | None:
    """In how many clusters the questions of a split lie; None where the recipe names none, or the data do not say."""
    if not recipe.cluster:
        return None
    questions = tuple(solution.question for solution in task.splits[split])
    asked = Paired((), questions, ({},) * len(questions), (), Unpaired("id and text", 0), ())
    with suppress(UserError):
        count = len(set(values_of(asked, recipe.cluster)))
        return count if count > 1 else None
    return None
