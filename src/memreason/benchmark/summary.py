"""Turns the results of all turns into figures: medians over the rounds, shares of the ceiling, and comparisons."""

from __future__ import annotations

from statistics import median
from typing import Any

from memreason.benchmark.config import SECTIONS
from memreason.benchmark.contestants import Contestant
from memreason.benchmark.workload import Turn


def summarise(section: str, contestants: list[Contestant], ceilings: list[dict[str, float]]) -> dict[str, Any]:
    """Name of a contestant → its figures: rates, shares of the ceiling, peak memory, and ``ratio``.

    ``ratio`` says how many times as fast the first contestant is; each turn is compared with the first contestant's
    turn in the same round. A contestant that failed has an ``error``, and the figures of its turns before.
    """
    entries = SECTIONS[section]
    first = next(iter(entries))
    reference = next((contestant.turns for contestant in contestants if contestant.name == first), [])
    last = {contestant.name: contestant.turns[-1] for contestant in contestants if contestant.turns}
    rows = {}
    for contestant in contestants:
        name, turns = contestant.name, contestant.turns
        row: dict[str, Any] = {"title": entries[name].title, "error": contestant.error}
        if turns:
            row |= _figures(turns, reference, ceilings)
            if section == "generation":
                row["traces"] = _compared(name, last)
        rows[name] = row
    return rows


def _figures(turns: list[Turn], reference: list[Turn], ceilings: list[dict[str, float]]) -> dict[str, Any]:
    matrix = median(max(ceiling["bfloat16"], ceiling["float32"]) for ceiling in ceilings) if ceilings else None
    bandwidth = median(ceiling["bandwidth"] for ceiling in ceilings) if ceilings else None
    moved = [turn.moved / turn.seconds for turn in turns if turn.moved]
    operations = median(turn.operations / turn.seconds for turn in turns)
    ratios = [_rate(first) / _rate(turn) for first, turn in zip(reference, turns, strict=False)]
    peaks = [turn.peak_memory for turn in turns]
    return {
        "dtype": turns[0].dtype,
        "items": turns[0].items,
        "tokens": turns[0].tokens,
        "seconds": [turn.seconds for turn in turns],
        "items_per_second": _spread([_rate(turn) for turn in turns]),
        "tokens_per_second": _spread([turn.tokens / turn.seconds for turn in turns]),
        "share_of_matrix_rate": operations / matrix if matrix else None,
        "share_of_bandwidth": median(moved) / bandwidth if moved and bandwidth else None,
        "ratio": _spread(ratios) if ratios else None,
        "peak_memory": {kind: max(peak[kind] for peak in peaks) for kind in peaks[0]},
        "losses": turns[0].losses,
    }


def _rate(turn: Turn) -> float:
    return turn.items / turn.seconds


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": median(values), "min": min(values), "max": max(values)}


def _compared(name: str, turns: dict[str, Turn]) -> dict[str, Any] | None:
    """How many traces differ from those of `generate` on one question at a time, in the same data type.

    The traces of one question at a time in 16 bits are themselves compared with those in float32.
    """
    alone = [other for other in ("one-by-one", "one-by-one-float32") if other in turns and other != name]
    if name == "one-by-one-float32" or not alone:
        return None
    same_dtype = [other for other in alone if turns[other].dtype == turns[name].dtype]
    if not same_dtype and name != "one-by-one":
        return None
    against = (same_dtype or alone)[0]
    texts, reference = turns[name].texts, turns[against].texts
    both = texts.keys() & reference.keys()
    return {"against": against, "compared": len(both), "differ": sum(texts[n] != reference[n] for n in both)}
