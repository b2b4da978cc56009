"""Comparisons as CSV: full numbers for other programs, and names that no spreadsheet runs as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from memreason.compare.show.numbers import Json
from memreason.runtime.pages import plain

ABOUT = ("measure", "split", "group", "clusters")
"""The first columns of every file: what a row's figures are about."""
RATE = ("arm", "runs", "questions", "value", "low", "high", "by_run")
COMPARISON = ("first", "second", "questions", "difference", "low", "high", "method", "bootstrap_low",
              "bootstrap_high", "p", "p_method", "p_holm", "p_bh", "mcnemar_p", "both", "only_first", "only_second",
              "neither", "conditional_low", "conditional_high", "standard_error", "smallest", "verdict",
              "gate")  # fmt: skip


def rates(results: Iterable[Json]) -> str:
    """A row for each side of each result, and of its groups. Shares are in [0, 1]; intervals have 95%."""
    return _written(ABOUT + RATE, (about | _rate(arm) for about, part in _parts(results) for arm in part["arms"]))


def comparisons(results: Iterable[Json]) -> str:
    """A row for each comparison of each result, and of its groups; a difference is second minus first."""
    rows = (about | _comparison(pair) for about, part in _parts(results) for pair in part["comparisons"])
    return _written(ABOUT + COMPARISON, rows)


def _parts(results: Iterable[Json]) -> Iterator[tuple[dict[str, Any], Json]]:
    for result in results:
        about = {"measure": result["measure"], "split": result["split"], "clusters": result["n_clusters"]}
        yield about, result
        for row in (result["groups"] or {}).get("rows", ()):
            yield about | {"group": f"{result['groups']['by']}={row['value']}", "clusters": None}, row


def _rate(arm: Json) -> dict[str, Any]:
    by_run = " ".join(map(repr, arm["by_run"]))
    return {"arm": arm["name"], "runs": arm["runs"], "questions": arm["n"], "value": arm["value"], "by_run": by_run,
            **_ends("", arm["interval"])}  # fmt: skip


def _comparison(pair: Json) -> dict[str, Any]:
    ends = _ends("", pair["interval"]) | _ends("bootstrap_", pair["bootstrap_interval"])
    ends |= _ends("conditional_", pair["conditional_interval"])
    return {**pair, "questions": pair["n"], **ends, **(pair["outcomes"] or {})}


def _ends(name: str, interval: Sequence[float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{name}low": low, f"{name}high": high}


def _written(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(row.get(key)) for key in columns})
    return file.getvalue()


def _cell(value: Any) -> Any:
    """A text that begins like a formula gets an apostrophe, as spreadsheets write it; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    inert = plain(value)
    return f"'{inert}" if inert.lstrip()[:1] in ("=", "+", "-", "@") or inert[:1] in ("\t", "\r", "\n") else inert
