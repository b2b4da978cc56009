"""Intervals by drawing the questions (and the runs) again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from memreason.compare.statistics.crossed import Spread, combined
from memreason.compare.statistics.units import Units

BLOCK = 4_000_000
"""How many numbers a block of draws holds at most."""


def bca(sides: Sequence[Units], draws: int = 5_000, seed: int = 0) -> tuple[float, float]:
    """The 95% interval of the figure of one run, or of the difference of two runs, by the bootstrap "BCa": percentiles,
    corrected for bias and for a spread that changes with the figure. Efron, Journal of the American Statistical
    Association 1987; ties count half, as in SciPy. Units (clusters) are drawn whole.

    Where all draws are alike, both ends are the figure. Few units (about 10) give too narrow an interval.
    """
    from scipy.stats import norm

    patterns, counts = np.unique(
        np.concatenate([row for side in sides for row in (side.value, side.weight)]).T, axis=0, return_counts=True
    )
    total = counts @ patterns
    value = figure(total)
    drawn = np.concatenate([figure(times @ patterns) for times in drawn_counts(counts, draws, seed)])
    drawn = drawn[np.isfinite(drawn)]
    without = figure(total - patterns)
    keep = np.isfinite(without)
    pull = np.average(without[keep], weights=counts[keep]) - without[keep] if keep.any() else np.zeros(1)
    scale = float((counts[keep] @ pull**2) ** 1.5)
    if not scale or not len(drawn):
        return float(value), float(value)
    below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    bias = norm.ppf(np.clip(below, 0.5 / draws, 1 - 0.5 / draws))
    acceleration = float(counts[keep] @ pull**3) / (6 * scale)
    ends = bias + norm.ppf([0.025, 0.975])
    low, high = np.quantile(drawn, norm.cdf(bias + ends / (1 - acceleration * ends)))
    return float(low), float(high)


def seeds_and_questions(
    sides: Sequence[Units], seeded: Sequence[bool], parts: Spread, draws: int = 5_000, seed: int = 0
) -> tuple[float, float]:
    """The 95% percentile interval of the difference of two arms, runs and questions (or clusters) both drawn again.

    Drawing k runs out of k plainly goes wrong twice: their spread comes out too small by (k − 1)/k, and what a seed
    adds at single questions is counted up to three times (Owen, Annals of Applied Statistics 2007). So the runs'
    deviations are scaled to the seeds' own variance first (``parts``: what `crossed.spread` found). And draws cannot
    know how badly few runs show their spread: so the ends are moved away from the figure by the factor that
    `crossed.combined` has over a normal distribution (as Hesterberg, The American Statistician 2015, does for one
    mean).
    """
    from scipy.stats import norm, t

    rng = np.random.default_rng([seed, 1])
    found = parts.seeds + parts.both
    shrink = np.sqrt(max(0.0, parts.seeds - parts.both) / found) if found else 0.0
    n_units = sides[0].value.shape[1]
    results = []
    for times in drawn_units(n_units, draws, seed):
        with np.errstate(invalid="ignore", divide="ignore"):
            by_run = [(times @ side.value.T) / (times @ side.weight.T) for side in sides]
        means = [each.mean(1) for each in by_run]
        off = {
            place: (each - means[place][:, None]) * np.sqrt(each.shape[1] / (each.shape[1] - 1))
            for place, each in enumerate(by_run)
            if seeded[place] and each.shape[1] > 1
        }
        for place, each in enumerate(by_run):
            if seeded[place] and off:  # a single run varies as the other arm's runs do
                own = off.get(place, next(iter(off.values())))
                chosen = rng.integers(0, own.shape[1], each.shape)
                means[place] = means[place] + shrink * np.take_along_axis(own, chosen, 1).mean(1)
        results.append(means[1] - means[0])
    drawn = np.concatenate(results)
    ends = np.quantile(drawn[np.isfinite(drawn)], [0.025, 0.975])
    value = sides[1].by_run.mean() - sides[0].by_run.mean()
    variance, degrees = combined(parts)
    known = parts.questions + max(0.0, parts.seeds - parts.both)
    factor = t.isf(0.025, degrees) / norm.isf(0.025) * np.sqrt(variance / known) if known else 1.0
    low, high = value + factor * (ends - value)
    return float(low), float(high)


def figure(sums: np.ndarray) -> np.ndarray:
    """value/weight, or second minus first; NaN without weight. ``sums``: (…, 2) or (…, 4), values and weights in
    turn."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = sums[..., 0::2] / sums[..., 1::2]
    return np.asarray(ratios[..., -1] - (ratios[..., 0] if ratios.shape[-1] == 2 else 0))


def drawn_units(units: int, draws: int, seed: int) -> Iterable[np.ndarray]:
    """How often each unit is drawn, (draws, units) in blocks of floats."""
    return _kept(units, draws, seed) if draws * units <= BLOCK else _floats(units, draws, seed)


@lru_cache(maxsize=2)
def _kept(units: int, draws: int, seed: int) -> tuple[np.ndarray, ...]:
    """The comparisons of a study draw the same units again and again."""
    return tuple(_floats(units, draws, seed))


def _floats(units: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    return (times.astype(float) for times in drawn_counts(np.ones(units, int), draws, seed))


def drawn_counts(counts: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each pattern is drawn, (draws, patterns) in blocks, if as many are drawn as there are."""
    rng = np.random.default_rng(seed)
    patterns, n = len(counts), int(counts.sum())
    block = max(1, BLOCK // n)
    for start in range(0, draws, block):
        size = min(block, draws - start)
        if 4 * patterns < n:
            yield rng.multinomial(n, counts / n, size=size)
        else:  # faster, if there are many patterns
            place = np.repeat(np.arange(patterns), counts)[rng.integers(0, n, (size, n))]
            place += patterns * np.arange(size)[:, None]
            yield np.bincount(place.ravel(), minlength=size * patterns).reshape(size, patterns)
