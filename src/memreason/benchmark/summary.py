"""From turns to figures: medians over the rounds, shares of what the machine could do, and comparisons."""

from __future__ import annotations

from statistics import median
from typing import Any

from memreason.benchmark.config import SECTIONS
from memreason.benchmark.contestants import Contestant
from memreason.benchmark.workload import Turn


def summarise(section: str, contestants: list[Contestant], ceilings: list[dict[str, float]]) -> dict[str, Any]:
    """Name → figures of each: rates, shares of the ceiling, peak memory, and how many times as fast the first is.

    ``ratio`` compares with the first contestant turn by turn, each with the one in the same round.
    Where one failed there is its ``error``, beside what it did before.
    """
    entries = SECTIONS[section]
    reference = next((one.turns for one in contestants if one.name == next(iter(entries))), [])
    last = {one.name: one.turns[-1] for one in contestants if one.turns}
    rows = {}
    for one in contestants:
        row: dict[str, Any] = {"title": entries[one.name].title, "error": one.error}
        if one.turns:
            row |= _figures(one.turns, reference, ceilings)
            if section == "generation":
                row["traces"] = _compared(one.name, last)
        rows[one.name] = row
    return rows


def _figures(turns: list[Turn], reference: list[Turn], ceilings: list[dict[str, float]]) -> dict[str, Any]:
    matrix = median(max(one["bfloat16"], one["float32"]) for one in ceilings) if ceilings else None
    bandwidth = median(one["bandwidth"] for one in ceilings) if ceilings else None
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
    """How many traces differ from those of one question at a time: in the same data type, which for those in
    16 bits are themselves compared with float32's."""
    alone = [one for one in ("one-by-one", "one-by-one-float32") if one in turns and one != name]
    if name == "one-by-one-float32" or not alone:
        return None
    alike = [one for one in alone if turns[one].dtype == turns[name].dtype]
    if not alike and name != "one-by-one":
        return None
    against = (alike or alone)[0]
    texts, reference = turns[name].texts, turns[against].texts
    both = texts.keys() & reference.keys()
    return {"against": against, "compared": len(both), "differ": sum(texts[n] != reference[n] for n in both)}
