"""Verdicts → the counts of an explanation: accuracy, causes, families, positions, lengths. Needs no torch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from memreason.compare.figures import of_two, right_or_wrong
from memreason.evaluation.results import EvaluationResult, Metrics
from memreason.explain.recorded import Epoch
from memreason.records import Verdict
from memreason.tasks.atlas.about import family_of

Json = dict[str, Any]
UNEXPLAINED = "unexplained"
TOKEN_BIN = 10
"""The histogram of lengths in tokens has bins of this width."""


def is_judged(verdicts: Iterable[Verdict]) -> bool:
    """Whether a judge read the steps of any trace."""
    return any(verdict.step_truth is not None for verdict in verdicts)


def by_split(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Split → its verdicts, in the order of the first of each."""
    splits: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        splits.setdefault(verdict.trace.question.split, []).append(verdict)
    return splits


def accuracy(
    before: EvaluationResult | None,
    after: EvaluationResult,
    verdicts: Sequence[Verdict],
    earlier: Mapping[str, Verdict],
) -> Json:
    """`accuracy` of an explanation, by split and `overall`; the difference is of the questions that both answered."""

    def of(metrics: Metrics) -> Json:
        return {"accuracy": metrics.accuracy, "interval": list(metrics.interval), "n": metrics.n}

    def difference(of_these: Iterable[Verdict]) -> Json | None:
        pairs = [(was, now) for now in of_these if (was := earlier.get(now.trace.question.id))]
        if not pairs:
            return None
        sides = zip(("before training", "after training"), zip(*pairs, strict=True), strict=True)
        before_it, after_it = (
            right_or_wrong(name, (each.outcome == "correct" for each in side)) for name, side in sides
        )
        found = of_two(before_it, after_it)
        if found is None:
            return None
        return {
            "value": found.difference,
            "interval": list(found.interval),
            "n": found.n,
            "p": found.p,
            "smallest": found.smallest,
            "outcomes": asdict(found.outcomes) if found.outcomes else None,
        }

    differences = {split: found for split, some in by_split(verdicts).items() if (found := difference(some))}
    return {
        "before": {split: of(metrics) for split, metrics in before.splits.items()} if before else None,
        "after": {split: of(metrics) for split, metrics in after.splits.items()},
        "difference": differences or None,
        "overall": {
            "before": of(before.overall) if before else None,
            "after": of(after.overall),
            "difference": difference(verdicts),
        },
    }


def epochs(recorded: Iterable[Epoch]) -> list[Json]:
    """`epochs` of an explanation."""
    return [
        {
            "epoch": epoch.number,
            "accuracy": epoch.metrics.accuracy,
            "interval": list(epoch.metrics.interval),
            "n": epoch.metrics.n,
            "memory_true": epoch.metrics.memory_true,
            "reason_valid": epoch.metrics.reason_valid,
            "loss": epoch.loss,
        }
        for epoch in recorded
    ]


def causes(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Cause → number of wrong answers, the most frequent first."""
    wrong = (v for v in verdicts if v.outcome == "incorrect" and v.step_truth is not None)
    return dict(Counter(verdict.cause or UNEXPLAINED for verdict in wrong).most_common())


def grounds(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """`sound`, `lucky`, `unreadable` → number of right answers."""
    right = Counter(v.grounds for v in verdicts if v.outcome == "correct" and v.grounds is not None)
    return {name: right[name] for name in ("sound", "lucky", "unreadable")}


def families(verdicts: Iterable[Verdict]) -> dict[str, Json] | None:
    """Family of questions → how many, how many right, and the causes of the wrong ones; the lowest accuracy first. None
    where questions have no family."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if family := family_of(verdict.trace.question):
            groups[family].append(verdict)
    rows: dict[str, Json] = {
        family: {"n": len(some), "correct": sum(v.outcome == "correct" for v in some), "errors": causes(some)}
        for family, some in groups.items()
    }
    return dict(sorted(rows.items(), key=lambda item: (item[1]["correct"] / item[1]["n"], item[0]))) or None


def positions(verdicts: Iterable[Verdict]) -> list[Json]:
    """For each position in a trace, from 1, how often a step of each type stands there."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for verdict in verdicts:
        for position, step in enumerate(verdict.trace.steps, 1):
            counts[position][step.type] += 1
    return [{"position": position, "counts": dict(counts[position])} for position in sorted(counts)]


def lengths(verdicts: Sequence[Verdict], tokens: Mapping[str, int], marks: Mapping[str, int]) -> Json:
    """Numbers of steps, of tokens, and of those among them that only mark lines (id of the question → number), by
    outcome; None for marks where no line has any."""

    def by_outcome(size: Callable[[Verdict], int], width: int = 1) -> dict[str, Json]:
        sizes: dict[str, list[int]] = defaultdict(list)
        for verdict in verdicts:
            sizes[verdict.outcome].append(size(verdict))
        return {outcome: _histogram(values, width) for outcome, values in sizes.items()}

    return {
        "steps": by_outcome(lambda verdict: len(verdict.trace.steps)),
        "tokens": by_outcome(lambda verdict: tokens[verdict.trace.question.id], TOKEN_BIN),
        "planning_tokens": by_outcome(lambda v: marks[v.trace.question.id]) if any(marks.values()) else None,
    }


def _histogram(values: Sequence[int], width: int = 1) -> Json:
    """``histogram`` has [value, count] pairs; a value stands for itself and the ``width`` - 1 values above it."""
    bins = Counter(value // width * width for value in values)
    return {
        "count": len(values),
        "mean": sum(values) / len(values),
        "width": width,
        "histogram": [list(pair) for pair in sorted(bins.items())],
    }
