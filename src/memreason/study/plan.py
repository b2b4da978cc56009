"""What a study will run, how long that takes, and which differences it will be able to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

from memreason.compare.fields import values_of
from memreason.compare.pairing import Paired
from memreason.compare.result import Unpaired
from memreason.compare.show.numbers import NONE
from memreason.compare.show.tables import Column, Table
from memreason.compare.statistics.power import Plan
from memreason.config.data import DataConfig
from memreason.errors import UserError
from memreason.study.cells import TRAIN, Cell
from memreason.study.folder import StudyFolder
from memreason.study.progress import seconds_of, time_left
from memreason.study.recipe import Recipe
from memreason.tasks.base import TaskData
from memreason.tasks.load import load_data

DISCORDANT, SPREADS, ALIKE = (0.1, 0.2, 0.3), (0.0, 0.01, 0.02), (0.0, 0.05)
"""What is assumed: the share of questions that a run of one arm answers rightly and a run of the other wrongly, or the
other way round; the spread of an arm's accuracy between seeds; and how alike the differences of two questions of a
cluster are (their correlation)."""


@dataclass(frozen=True)
class Row:
    """The smallest true difference in accuracy, in [0, 1], that is found on a split with a chance of 80%, for each
    share of discordant questions; None where none is."""

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


def task_of(cells: Sequence[Cell]) -> tuple[TaskData | None, str]:
    """The dataset that the cells are asked, and why it cannot be read, if so."""
    options = next((_data_options(step.argv) for cell in cells for step in cell.steps if step.command == TRAIN), None)
    if options is None:
        return None, "no arm is trained"
    try:
        return load_data(options), ""
    except UserError as error:
        return None, str(error)


def _data_options(argv: Sequence[str]) -> DataConfig:
    """The options of a command that say which questions there are."""
    kinds = {each.name: str(each.type) for each in fields(DataConfig)}
    given: dict[str, Any] = {}
    for flag, value in pairwise(argv):
        name = flag.removeprefix("--")
        if flag.startswith("--") and "int" in kinds.get(name, ""):
            given[name] = int(value)
        elif flag.startswith("--") and "str" in kinds.get(name, ""):
            given[name] = value
    return DataConfig(**{name: value for name, value in given.items() if name != "train_subset"})


def power_table(plan: StudyPlan) -> Table:
    """What the plan says about power, for readers: in percentage points."""
    heads = [Column("split"), Column("questions"), Column("clusters"), Column("seeds"), Column("spread of seeds"),
             Column("alike in a cluster"),
             *(Column(f"{share:.0%}", "questions answered differently") for share in DISCORDANT)]  # fmt: skip
    rows = [
        (row.split, str(row.questions), NONE if row.clusters is None else str(row.clusters), str(row.runs),
         f"{100 * row.seed_spread:.0f} points", f"{row.cluster_correlation:.0%}",
         *(NONE if row.smallest[share] is None else f"{100 * (row.smallest[share] or 0):.1f}" for share in DISCORDANT))
        for row in plan.power
    ]  # fmt: skip
    notes = (
        "Percentage points: the smallest true difference in accuracy between two arms that is found with a chance of "
        "80% at p < 0.05, before any adjustment for several comparisons.",
        "Assumed: the share of questions that runs of two arms answer differently (one rightly, one wrongly); the "
        "standard deviation of an arm's accuracy between seeds; the correlation of two questions of a cluster.",
    )
    return Table("What the study will be able to show", tuple(heads), tuple(rows), notes)


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
