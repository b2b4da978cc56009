"""How far two arms differ, and how sure that is."""

from __future__ import annotations

import numpy as np

from memreason.compare.statistics.arm import Arm, Difference, NothingToCompare, Outcomes
from memreason.compare.statistics.mcnemar import conditional_interval, exact_p
from memreason.compare.statistics.units import units
from memreason.evaluation.statistics import paired_difference


def outcomes_of(first: Arm, second: Arm) -> Outcomes | None:
    """The table of four of two single runs of right and wrong answers; None for other arms."""
    if first.runs > 1 or second.runs > 1 or not (first.is_binary and second.is_binary):
        return None
    one, other = first.value[0] == 1, second.value[0] == 1
    return Outcomes(*(int(each.sum()) for each in (one & other, one & ~other, ~one & other, ~one & ~other)))


def difference(
    first: Arm, second: Arm, clusters: np.ndarray | None = None, draws: int = 10_000, seed: int = 0
) -> Difference:
    """Second minus first, on the same questions in the same order.

    Raises ValueError where arms or clusters have different numbers of questions, NothingToCompare where a run has no
    question that counts.
    """
    from scipy.stats import t

    one, other = units((first, second), clusters)
    n_units = one.value.shape[1]
    moved = other.deviation.mean(0) - one.deviation.mean(0)
    variance = (n_units - 1) / n_units * (moved**2).sum()
    runs = first.runs, second.runs
    for arm in (first, second):
        if arm.runs > 1:
            variance += arm.by_run.var(ddof=1) / arm.runs
    error, degrees = float(np.sqrt(variance)), float(n_units - 1)
    value = second.figure - first.figure
    reach = float(t.isf(0.025, degrees)) * error
    interval, method = (value - reach, value + reach), "jackknife" if runs == (1, 1) else "crossed"
    p, p_method = float(2 * t.sf(abs(value) / error, degrees)) if error else 1.0, f"t_{method}"
    table = outcomes_of(first, second)
    mcnemar = exact_p(table.only_first, table.only_second) if table else None
    if table and mcnemar is not None and clusters is None:
        pairs = zip(first.value[0] == 1, second.value[0] == 1, strict=True)
        (_, interval), method = paired_difference(pairs), "newcombe"
        p, p_method = mcnemar, "mcnemar_exact"
    return Difference(
        value=value,
        interval=interval,
        method=method,
        p=p,
        p_method=p_method,
        n=int((first.counts | second.counts).sum()),
        runs=runs,
        n_clusters=None if clusters is None else n_units,
        outcomes=table,
        conditional_interval=conditional_interval(table.only_first, table.only_second, first.questions)
        if table
        else None,
        mcnemar_p=mcnemar,
        standard_error=error,
        degrees=degrees,
        smallest=2.8 * error or None,
        boot_interval=interval,
    )


__all__ = ["NothingToCompare", "difference"]
