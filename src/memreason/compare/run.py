"""Comparing sides: from their answers to a result.

```
paired = pair([read_side("plain", ["runs/plain-1", "runs/plain-2"]), read_side("typed", ["runs/typed-1", …])])
result = compare(paired, "accuracy", split="test_seen", cluster="country")
```
Files are read by `read_side`, once; any number of comparisons can follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TypeVar

import numpy as np

from memreason.compare.config import CompareConfig
from memreason.compare.fields import More, numbered, read_fields, values_of
from memreason.compare.figures import Comparer, Figures, Pairs
from memreason.compare.measures import MEASURES, check_measure
from memreason.compare.naming import parse_sides
from memreason.compare.pairing import Paired, Pairing, pair
from memreason.compare.result import ComparisonResult, GroupRow, Groups
from memreason.compare.sides import Reading, Run, Side, read_side
from memreason.compare.statistics.arm import Arm, NothingToCompare
from memreason.errors import UserError, did_you_mean
from memreason.runtime.files import listed
from memreason.tasks.registry import load_task

Row = TypeVar("Row", ComparisonResult, GroupRow)


class TooFewQuestions(UserError):
    """Too few questions say anything about a measure."""


@dataclass(frozen=True)
class Looks:
    """How a comparison looks at its questions, beside the measure and the split."""

    cluster: str | None = None
    """The field that says which questions belong together."""
    by: str | None = None
    """The field by whose values the comparison is repeated."""
    margin: float | None = None
    """The second side must not be worse by more than this."""
    more: More | None = None
    """Further fields of questions."""


def compare_all(config: CompareConfig) -> list[ComparisonResult]:
    """What `memreason compare` finds: for each measure a result over all questions (or those of `--split`), and, where
    the questions are of several splits, one for each of these.

    Raises UserError as `parse_sides`, `read_side`, `pair` and `compare` do.
    """
    task = load_task(config.dataset, config.data_path) if config.dataset else None
    reading = Reading(task, config.mark)
    sides = [read_side(name, paths, reading) for name, paths in parse_sides(config.sides).items()]
    pairs = pairs_of([side.name for side in sides], config.against, config.all_pairs)
    paired = pair(sides, Pairing(config.allow_missing, config.average_repeats, config.ignore_ids))
    more = read_fields(Path(config.fields).expanduser()) if config.fields else None
    looks = Looks(config.cluster, config.by, config.fail_if_worse, more)
    splits = [config.split, *(paired.splits if config.split is None and len(paired.splits) > 1 else ())]
    return [compare(paired, measure, split, pairs, looks) for measure in config.measure for split in splits]


def compare(
    paired: Paired,
    measure: str = "accuracy",
    split: str | None = None,
    pairs: Pairs | None = None,
    looks: Looks = Looks(),
) -> ComparisonResult:
    """Compare one measure between the sides, over all questions or those of one ``split``.

    ``pairs`` says who is compared with whom (see `pairs_of`), by default each other side with the first. Raises
    UserError for a measure that a side does not have, an unknown split or field, a margin for a measure of which it is
    not said which is better, and TooFewQuestions where too few count.
    """
    known = check_measure(measure)
    if looks.margin is not None and known.higher_is_better is None:
        raise UserError(
            f"--fail_if_worse: of {measure}, neither more nor less is better; leave it out, or name another"
        )
    chosen = _chosen(paired, split)
    cluster = np.array(numbered(values_of(paired, looks.cluster, looks.more))) if looks.cluster else None
    arms, kept = _arms(paired, measure, chosen)
    clusters = None if cluster is None else cluster[kept]
    values = np.array(values_of(paired, looks.by, looks.more)) if looks.by else None
    pairs = list(pairs or pairs_of([side.name for side in paired.sides]))
    comparer = Comparer(paired.sides, known, pairs, looks.margin)
    try:
        figures = comparer.look(arms, clusters)
    except NothingToCompare as error:
        raise TooFewQuestions(
            f"{measure}{f' in {split}' if split else ''}: too few questions say anything ({error})"
        ) from error
    (figures,) = comparer.decide([figures])
    groups, warnings = _by_group(comparer, arms, clusters, kept, values)
    return ComparisonResult(
        measure=measure,
        label=known.label,
        kind=known.kind,
        higher_is_better=known.higher_is_better,
        n=max(side.n for side in figures.sides),
        cluster=looks.cluster,
        n_clusters=None if clusters is None else len(np.unique(clusters)),
        split=split,
        margin=looks.margin,
        arms=figures.sides,
        comparisons=figures.pairs,
        groups=Groups(looks.by, groups) if looks.by else None,
        unpaired=paired.unpaired,
        warnings=(*paired.warnings, *_left_out(chosen, kept, measure), *_clusters_hint(paired, looks), *warnings),
    )


def narrowed(result: ComparisonResult, first: str) -> ComparisonResult:
    """Only the comparisons with the side ``first``, their p-values adjusted for these alone: what `compare` finds for
    these pairs, without computing it again."""
    comparer = Comparer((), MEASURES[result.measure], [], result.margin)

    def decided(rows: Sequence[Row]) -> tuple[Row, ...]:
        pairs = [tuple(pair for pair in row.comparisons if pair.first == first) for row in rows]
        looks = comparer.decide([Figures(row.arms, some) for row, some in zip(rows, pairs, strict=True)])
        return tuple(replace(row, comparisons=look.pairs) for row, look in zip(rows, looks, strict=True))

    (result,) = decided([result])
    if not result.groups:
        return result
    rows = decided(result.groups.rows)
    before, after = _many_looks(result.groups.rows), _many_looks(rows)
    warnings = tuple(after if warning == before else warning for warning in result.warnings)
    return replace(result, groups=replace(result.groups, rows=rows), warnings=warnings)


def pairs_of(names: Sequence[str], against: str | None = None, all_pairs: bool = False) -> list[tuple[str, str]]:
    """Who is compared with whom: each other side against ``against`` (by default the first), or all with all; then each
    side is judged against those before it. Raises UserError where ``against`` is no side."""
    if against is not None and against not in names:
        raise UserError(f"--against {against}: the sides are {', '.join(names)}{did_you_mean(against, names)}")
    first = against or names[0]
    if all_pairs:
        return list(combinations(sorted(names, key=lambda name: name != first), 2))
    return [(first, name) for name in names if name != first]


def available(side: Side) -> list[str]:
    """The measures that every run of a side has."""
    return [name for name in MEASURES if says(side, name)]


def says(side: Side, measure: str, split: str | None = None) -> bool:
    """Whether every run of a side has the measure, on at least one question of the split."""
    return all(_has(run, measure, split) for run in side.runs)


def _has(run: Run, measure: str, split: str | None = None) -> bool:
    if measure not in run.columns:
        return False
    there = slice(None) if split is None else [question.split == split for question in run.questions]
    return bool(np.nansum(run.columns[measure][1][there]) > 0)


# ---- the figures -----------------------------------------------------------------------------------


def _chosen(paired: Paired, split: str | None) -> np.ndarray:
    """The places of the questions of a split, or of all questions."""
    if split is None:
        return np.arange(len(paired.questions))
    places = [place for place, question in enumerate(paired.questions) if question.split == split]
    if not places:
        known = paired.splits
        raise UserError(
            f"--split {split}: the sides share the splits {', '.join(known) or '(none)'}{did_you_mean(split, known)}"
        )
    return np.array(places)


def _arms(paired: Paired, measure: str, chosen: np.ndarray) -> tuple[list[Arm], np.ndarray]:
    """The sides on the questions that say something about the measure, and the places of these questions."""
    for side in paired.sides:
        if measure not in (known := available(side)):
            lacking = next(run.path for run in side.runs if not _has(run, measure))
            shared = [name for name in known if all(name in available(other) for other in paired.sides)]
            raise UserError(
                f"--measure {measure}: {side.name} ({lacking}) does not have it; it needs {MEASURES[measure].needs}; "
                f"all sides have {', '.join(shared) or 'none in common'}"
            )
    tables = [np.stack([run[measure][:, chosen] for run in runs]) for runs in paired.columns]  # (runs, 2, questions)
    weights = np.concatenate([table[:, 1] for table in tables])
    counts = ~np.isnan(weights).any(0)
    if MEASURES[measure].every_question:
        counts &= (weights > 0).all(0)
    kept = chosen[counts]
    return [
        Arm(side.name, table[:, 0, counts], table[:, 1, counts], side.seeded)
        for side, table in zip(paired.sides, tables, strict=True)
    ], kept


def _left_out(chosen: np.ndarray, kept: np.ndarray, measure: str) -> list[str]:
    less = len(chosen) - len(kept)
    return [f"{less} of {len(chosen)} questions are left out: not every run says {measure} of them"] if less else []


def _clusters_hint(paired: Paired, looks: Looks) -> list[str]:
    atlas = all(question.dataset == "atlas" for question in paired.questions)
    return ["several questions are about one country: --cluster country says what holds for other countries"] if (
        atlas and not looks.cluster
    ) else []  # fmt: skip


def _by_group(
    comparer: Comparer, arms: Sequence[Arm], clusters: np.ndarray | None, kept: np.ndarray, values: np.ndarray | None
) -> tuple[tuple[GroupRow, ...], list[str]]:
    """The comparison for each value of a field, in their order, and what to know about it."""
    if values is None:
        return (), []
    mine, looks, failed = values[kept], dict[str, Figures](), []
    for value in sorted(set(mine.tolist())):
        among = mine == value
        some = [Arm(arm.name, arm.value[:, among], arm.weight[:, among], arm.seeded) for arm in arms]
        try:
            looks[value] = comparer.look(some, None if clusters is None else clusters[among])
        except NothingToCompare:
            failed.append(value)
    rows = tuple(
        GroupRow(value, max(side.n for side in look.sides), look.sides, look.pairs)
        for value, look in zip(looks, comparer.decide(list(looks.values())), strict=True)
    )
    warnings = [_many_looks(rows)]
    if failed:
        warnings.append(f"too few questions for a comparison in the groups {listed(failed)}")
    return rows, warnings


def _many_looks(rows: Sequence[GroupRow]) -> str:
    count = sum(len(row.comparisons) for row in rows)
    return (
        f"{count} comparisons by group: were there no difference anywhere, about {0.05 * count:.2g} of them would have "
        "p < 0.05 by chance; their verdicts go by p_holm, which is adjusted for all of them"
    )
