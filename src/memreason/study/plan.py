"""What a study will run, how long that takes, and which differences it will be able to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from memreason.compare.fields import values_of
from memreason.compare.pairing import Paired
from memreason.compare.result import Unpaired
from memreason.compare.show.numbers import NONE, several
from memreason.compare.show.tables import Column, Table
from memreason.compare.statistics.power import Plan
from memreason.errors import UserError, did_you_mean
from memreason.runtime.files import listed
from memreason.study.cells import TRAIN, Cell, OptionCheck
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
    cluster: str | None
    """The field that says which questions belong together; None where the recipe names none, or all lie in one."""
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


def task_of(recipe: Recipe, cells: Sequence[Cell], options: OptionCheck) -> tuple[TaskData | None, str]:
    """The dataset that the cells are asked, and why it cannot be read, if so. Raises UserError where the recipe names a
    split, or a field of questions, that it does not have."""
    step = next((step for cell in cells for step in cell.steps if step.command == TRAIN), None)
    if step is None:
        return None, "no arm is trained"
    try:
        task = load_data(replace(options.data(step.arguments("run")[1:]), train_subset=None))
    except UserError as error:
        return None, str(error)
    _check_names(recipe, task)
    return task, ""


def _check_names(recipe: Recipe, task: TaskData) -> None:
    for split in recipe.splits:
        if split not in task.test_splits:
            hint = did_you_mean(split, task.test_splits)
            raise UserError(f"{recipe.path}: splits: {split} is none of {listed(task.test_splits, 99)}{hint}")
    for key, name in (("cluster", recipe.cluster), ("by", recipe.by)):
        for split in (recipe.splits or task.test_splits) if name else ():
            try:
                _values(task, split, str(name))
            except UserError as error:
                raise UserError(f"{recipe.path}: {key}: {error}") from error


def power_tables(plan: StudyPlan) -> list[Table]:
    """What the plan says about power, for readers: a table for each split, in percentage points."""
    return [_power_table(split, list(rows)) for split, rows in groupby(plan.power, lambda row: row.split)]


def _power_table(split: str, rows: Sequence[Row]) -> Table:
    first, many = rows[0], rows[0].runs > 1
    heads = [
        Column("accuracy varies from seed to seed by" if many else "seeds an arm"),
        *([Column(f"alike: questions of one {first.cluster}")] if first.clusters else []),
        *(Column(f"{share:.0%}", "two arms differ on so many questions") for share in DISCORDANT),
    ]
    cells = [
        (several(round(100 * row.seed_spread), "point") if many else "1", *([_alike(row)] if row.clusters else []),
         *(NONE if row.smallest[share] is None else f"{100 * (row.smallest[share] or 0):.1f}" for share in DISCORDANT))
        for row in rows
    ]  # fmt: skip
    about = f"{several(first.questions, 'question')}{_in_clusters(first)}, {several(first.runs, 'seed')} an arm"
    return Table(f"Smallest true difference that will be found, in points, on {split}: {about}", tuple(heads),
                 tuple(cells))  # fmt: skip


def power_in_words(plan: StudyPlan) -> list[str]:
    """What the plan says about power in a sentence for the assumptions in the middle, and what the tables assume."""
    spread, share = (SPREADS[1] if plan.power[0].runs > 1 else 0.0), DISCORDANT[1]
    parts = []
    for split, rows in groupby(plan.power, lambda row: row.split):
        found = [row.smallest[share] for row in rows if row.seed_spread == spread]
        ends = list(dict.fromkeys(f"{100 * each:.1f}" for each in found if each is not None))
        parts.append(f"{' to '.join(ends)} points on {split}" if ends else f"none on {split}")
    varies = f"accuracy varies by {several(round(100 * spread), 'point')} from seed to seed, and " if spread else ""
    seeds = "" if plan.power[0].runs > 1 else (
        " With one seed an arm, that is about these runs: it cannot show that another seed would not have come out "
        "otherwise."
    )  # fmt: skip
    return [
        f"Smallest true differences in accuracy between two arms that it will find: {', '.join(parts)}, if {varies}two "
        f"arms differ on {share:.0%} of the questions. Smaller ones will mostly come out as tied.{seeds}",
        "Found is: p < 0.05 in 4 of 5 such studies. Where several arms are compared with the baseline, p-values are "
        "adjusted, and only larger differences are found as often.",
    ]


def assumed(plan: StudyPlan) -> list[str]:
    """What the rows and columns of the tables take as given."""
    parts = [
        "an arm's accuracy varies by so much from seed to seed (standard deviation)" if plan.power[0].runs > 1 else "",
        "the differences at two questions of one cluster are so much alike (correlation)"
        if any(row.clusters for row in plan.power) else "",
        "on so many questions one arm is right and the other is wrong",
    ]  # fmt: skip
    return [f"Nobody knows these beforehand, so several are assumed: {'; '.join(filter(None, parts))}."]


def _alike(row: Row) -> str:
    return f"{row.cluster_correlation:.0%}" if row.cluster_correlation else "not"


def _in_clusters(row: Row) -> str:
    return f" in {row.clusters} clusters ({row.cluster})" if row.clusters else ""


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
                cluster = recipe.cluster if clusters else None
                rows.append(Row(split, len(solutions), cluster, clusters, runs, spread, alike, smallest))
    return rows


def _clusters(recipe: Recipe, task: TaskData, split: str) -> int | None:
    """In how many clusters the questions of a split lie; None where the recipe names none, or all lie in one."""
    count = len(set(_values(task, split, recipe.cluster))) if recipe.cluster else 0
    return count if count > 1 else None


def _values(task: TaskData, split: str, name: str) -> list[str]:
    """The value of a field for each question of a split. Raises UserError where one has none."""
    questions = tuple(solution.question for solution in task.splits.get(split, ()))
    asked = Paired((), questions, ({},) * len(questions), (), Unpaired("id and text", 0), ())
    return values_of(asked, name)
