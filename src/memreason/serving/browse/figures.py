"""Figures over the traces of an index, each of which leads to a filtered list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from memreason.evaluation.statistics import wilson
from memreason.serving.browse.index import Entry, TraceIndex


def figures(index: TraceIndex, split: str = "") -> dict[str, Any]:
    """{"splits": {split: accuracy}, "overall": accuracy, "errors": {cause: count}, "right": {grounds: count},
    "families": {family: accuracy}}.

    An accuracy is {"accuracy", "interval", "n", "correct", "incorrect", "no_answer"}, as in `Metrics`. ``split`` is
    that of the errors, the right answers and the families; where it is empty, they are over all splits.
    """
    entries = [entry for entry in index.entries if not split or entry.split == split]
    by_family: dict[str, list[Entry]] = {}
    by_split: dict[str, list[Entry]] = {}
    for entry in entries:
        by_family.setdefault(entry.family, []).append(entry)
    for entry in index.entries:
        by_split.setdefault(entry.split, []).append(entry)
    by_family.pop("", None)
    return {
        "overall": accuracy(entry.outcome for entry in index.entries),
        "splits": {name: accuracy(entry.outcome for entry in group) for name, group in by_split.items()},
        "errors": _counts(entry.cause for entry in entries),
        "right": _counts(entry.grounds for entry in entries),
        "families": {
            name: accuracy(entry.outcome for entry in group) | {"errors": _counts(entry.cause for entry in group)}
            for name, group in sorted(by_family.items())
        },
    }


def accuracy(outcomes: Iterable[str]) -> dict[str, Any]:
    """Counts of outcomes, with the accuracy and its 95% Wilson interval; both are None where there are none."""
    counts = Counter(outcomes)
    n = counts.total()
    return {
        "accuracy": counts["correct"] / n if n else None,
        "interval": wilson(counts["correct"], n) if n else None,
        "n": n,
        **{name: counts[name] for name in ("correct", "incorrect", "no_answer")},
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    counts = Counter(values)
    del counts[""]
    return dict(counts.most_common())
