"""The figure of one arm, and its interval."""

from __future__ import annotations

import numpy as np

from memreason.compare.statistics.arm import Arm, Rate
from memreason.compare.statistics.units import units
from memreason.evaluation.statistics import wilson


def rate(arm: Arm, clusters: np.ndarray | None = None) -> Rate:
    """An arm's figure with its 95% interval; raises as `difference` does."""
    from scipy.stats import t

    (parts,) = units((arm,), clusters)
    n_units = parts.value.shape[1]
    value = arm.figure
    if arm.runs == 1 and arm.is_binary and clusters is None:
        interval = wilson(int(arm.value.sum()), arm.questions)
    else:
        variance = (n_units - 1) / n_units * (parts.deviation.mean(0) ** 2).sum()
        if arm.runs > 1:
            variance += arm.by_run.var(ddof=1) / arm.runs
        reach = float(t.isf(0.025, n_units - 1) * np.sqrt(variance))
        interval = value - reach, value + reach
    return Rate(value, interval, tuple(float(each) for each in arm.by_run), int(arm.counts.sum()))
