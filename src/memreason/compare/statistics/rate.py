"""The figure of one arm, and its interval."""

from __future__ import annotations

import numpy as np

from memreason.compare.statistics.arm import Arm, NothingToCompare, Rate
from memreason.compare.statistics.crossed import combined, spread
from memreason.compare.statistics.shared import SharedSpread
from memreason.compare.statistics.units import units
from memreason.evaluation.statistics import wilson, wilson_of


def rate(arm: Arm, clusters: np.ndarray | None = None, shared: SharedSpread | None = None) -> Rate:
    """An arm's figure with its 95% interval; ``clusters``, ``shared`` and errors as in `difference`.

    Right or wrong answers of one run: Wilson's interval. Other shares: Wilson's interval for as many independent
    questions as would give the same standard error, fewer for a small number of clusters or runs (Korn and Graubard,
    Survey Methodology 1998, with Wilson's interval for theirs); so it never leaves [0, 1]. Other figures: t.
    """
    from scipy.stats import norm, t

    (side,) = units((arm,), clusters)
    value, by_run, n = arm.figure, tuple(float(each) for each in arm.by_run), int(arm.counts.sum())
    if arm.runs == 1 and arm.is_binary and clusters is None:
        return Rate(value, wilson(int(arm.value.sum()), n), by_run, n)
    if side.alone:
        if not arm.is_share:
            raise NothingToCompare(f"{arm.name}: one question or cluster alone gives no interval")
        return Rate(value, (0.0, 1.0), by_run, n)
    variance, degrees = combined(spread([side], [arm.seeded], shared))
    bar = float(t.isf(0.025, degrees))
    if not arm.is_share:
        reach = bar * float(np.sqrt(variance))
        return Rate(value, (value - reach, value + reach), by_run, n)
    inside = value * (1 - value)
    # Where all are right or all wrong, units vary by nothing, and each counts as one question.
    worth = inside / variance * (float(norm.isf(0.025)) / bar) ** 2 if variance > 1e-15 else float(side.value.shape[1])
    return Rate(value, wilson_of(value, max(worth, 1.0)), by_run, n)
