"""Metrics files of format 1, which have no `format` field → rows in the newest form (`results.FORMAT`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from memreason.evaluation.statistics import wilson

Row = Mapping[str, Any]


def evaluation_of_format_1(row: Row) -> dict[str, Any]:
    """The row of an evaluation. In format 1 the overall metrics were at the top level, beside `splits`, or beside
    `split`, the name of the only one."""
    return {"dtype": row["dtype"], "overall": row, "splits": row.get("splits") or {row["split"]: row}}


def score_of_format_1(row: Row) -> dict[str, Any]:
    """The row of a scoring. In format 1 the overall metrics were at the top level, and `splits` had only the number of
    texts of each split, so the metrics of several splits are not known."""
    counts = row["splits"]
    return {**row, "overall": row, "splits": dict.fromkeys(counts, row) if len(counts) == 1 else {}}


def run_of_format_1(row: Row) -> dict[str, Any]:
    """The row of a run. In format 1 `after` had three of the metrics over several splits beside its splits, and
    `before` had none; the other metrics are pooled. The data type was written for a single split only."""
    over_all = {name: row["after"][name] for name in ("memory_true", "reason_valid") if name in row["after"]}
    there = {
        when: {name: metrics for name, metrics in row[when].items() if name not in (*over_all, "errors_by_cause")}
        for when in ("before", "after")
        if when in row
    }
    overall = {when: pooled(list(splits.values())) for when, splits in there.items()}
    overall["after"] |= over_all
    dtypes = [metrics.get("dtype") for metrics in there["after"].values()]
    return {**row, **there, "overall": overall, "dtype": dtypes[0]}


def pooled(parts: list[Row]) -> dict[str, Any]:
    """Metrics over several splits together. The rates from the judge are left out, since the splits do not say how many
    steps they are about. The metrics of a single split are returned as they are."""
    if len(parts) == 1:
        return dict(parts[0])
    n = sum(part["n"] for part in parts)
    counts = {name: sum(part[name] for part in parts) for name in ("correct", "incorrect", "no_answer")}
    shares = {
        name: round(sum(part[name] * part["n"] for part in parts))
        for name in ("well_formed", "truncated", "flexible_accuracy")
    }
    judged = {"errors_by_cause": _sum(part.get("errors_by_cause", {}) for part in parts)}
    return {
        "accuracy": counts["correct"] / n,
        "interval": wilson(counts["correct"], n),
        "n": n,
        **counts,
        **{name: count / n for name, count in shares.items()},
        "flexible_interval": wilson(shares["flexible_accuracy"], n),
        "steps": _sum(part["steps"] for part in parts),
        **(judged if any("errors_by_cause" in part for part in parts) else {}),
    }


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(total)
