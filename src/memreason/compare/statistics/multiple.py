"""Several comparisons at once: p-values adjusted for how many there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given. Calling those below 0.05 real is wrong anywhere with a chance of at most
    5%, however the tests depend on each other. Holm, Scandinavian Journal of Statistics 1979."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, raised)
    return [float(each) for each in adjusted]


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given. Of those below 0.05 at most 5% are expected to be false, if the tests are
    independent or depend positively on each other. Benjamini and Hochberg, Journal of the Royal Statistical Society B
    1995."""
    from scipy.stats import false_discovery_control

    return [float(each) for each in false_discovery_control(p_values)] if len(p_values) else []
