"""Intervals of rates."""

from __future__ import annotations


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95% Wilson score interval (low, high), both in [0, 1], of the rate ``successes / n``. Wilson, JASA 1927."""
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
