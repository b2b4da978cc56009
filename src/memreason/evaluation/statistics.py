"""Intervals of rates and of differences between them, and the agreement of two raters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95% Wilson score interval (low, high), both in [0, 1], of the rate ``successes / n``. Wilson, JASA 1927."""
    return wilson_of(successes / n, n)


def wilson_of(share: float, n: float) -> tuple[float, float]:
    """The same of a share of ``n`` observations, where neither ``n`` nor ``share * n`` need be a whole number."""
    from scipy.special import ndtri

    square = float(ndtri(0.975)) ** 2
    middle = (2 * n * share + square) / (2 * (n + square))
    reach = math.sqrt(square) / (2 * (n + square)) * math.sqrt(4 * n * share * (1 - share) + square)
    return (0.0 if share == 0 else middle - reach), (1.0 if share == 1 else middle + reach)


def paired_difference(pairs: Iterable[tuple[bool, bool]]) -> tuple[float, tuple[float, float]]:
    """How much higher the second rate is than the first, in [-1, 1], and the 95% interval (low, high) of that.

    Each pair has two observations of one thing: one question, say, answered before and after training. The interval is
    that of `newcombe`. Raises ValueError where there are no pairs.
    """
    found = Counter((bool(first), bool(second)) for first, second in pairs)
    if not found:
        raise ValueError("no pairs")
    both, one, other, neither = (found[pair] for pair in ((True, True), (True, False), (False, True), (False, False)))
    n = found.total()
    return (both + other) / n - (both + one) / n, newcombe(both, one, other, neither)


def newcombe(both: int, only_first: int, only_second: int, neither: int) -> tuple[float, float]:
    """The 95% interval (low, high), in [-1, 1], of how much higher the second of two rates of the same things is.

    It is the paired one made of two Wilson intervals. Newcombe, Statistics in Medicine 1998, paired data, method 10.
    """
    n, first, second = both + only_first + only_second + neither, both + only_first, both + only_second
    rate1, rate2 = first / n, second / n
    (low1, high1), (low2, high2) = wilson(first, n), wilson(second, n)
    spread = first * (n - first) * second * (n - second)
    together: float = both * neither - only_first * only_second
    if together > 0:  # a correction for continuity
        together = max(0.0, together - n / 2)
    correlation = together / math.sqrt(spread or 1)

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))

    difference = rate2 - rate1
    low, high = difference - reach(rate2 - low2, high1 - rate1), difference + reach(high2 - rate2, rate1 - low1)
    return max(-1.0, low), min(1.0, high)


def cohens_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """How much two raters agree beyond chance, at most 1; None where there are no pairs, or where chance alone would
    make them agree always. Each pair has the two ratings of one item. Cohen, Educational and Psychological Measurement
    1960."""
    n = len(pairs)
    if not n:
        return None
    one, other = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    observed = sum(first == second for first, second in pairs) / n
    chance = sum(one[name] * other[name] for name in one) / n**2
    return None if chance == 1 else (observed - chance) / (1 - chance)


def bootstrap_mean(values: Sequence[float], draws: int = 2000, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """The mean, and its 95% interval (low, high) by the bootstrap's percentiles. Efron, Annals of Statistics 1979.

    Raises ValueError where there are no values."""
    import numpy as np

    if not values:
        raise ValueError("no values")
    known = np.asarray(values, float)
    means = known[np.random.default_rng(seed).integers(0, len(known), (draws, len(known)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(known.mean()), (float(low), float(high))
