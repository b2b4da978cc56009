"""How far two arms differ, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from memreason.compare.statistics.arm import Arm, Difference, NothingToCompare, Outcomes
from memreason.compare.statistics.bootstrap import bca, seeds_and_questions
from memreason.compare.statistics.crossed import Spread, combined, spread
from memreason.compare.statistics.mcnemar import conditional_interval, exact_p
from memreason.compare.statistics.power import Detection, smallest_by_mcnemar
from memreason.compare.statistics.shared import SharedSpread
from memreason.compare.statistics.units import units
from memreason.evaluation.statistics import newcombe

Interval = tuple[float, float]


def difference(
    first: Arm,
    second: Arm,
    clusters: np.ndarray | None = None,
    shared: SharedSpread | None = None,
    draws: int = 5_000,
    seed: int = 0,
) -> Difference:
    """The second arm's figure less the first's, with what `Difference` says of it.

    Questions stand in the same order in both arms. ``clusters`` (questions,) names for each question the cluster that
    it was drawn with (its country, its passage); without them the questions were drawn one by one. ``shared`` is what
    all arms of a study say of seeds (`shared_spread`). ``draws`` and ``seed`` are those of the bootstrap, which takes
    the seeds' spread from these two arms alone; the same ones give the same intervals.

    - One run a side, right or wrong, no clusters: McNemar's exact test; Newcombe's paired interval.
    - One run a side, and clusters or a share of steps: t with the standard error and degrees of freedom of `units`.
    - Several runs on a side: t with the standard error and degrees of freedom of `crossed`, moderated if ``shared``.

    Raises ValueError where arms or clusters have different numbers of questions; NothingToCompare where a run has no
    question that counts, or only one and its figure is no share.
    """
    sides = units((first, second), clusters)
    value = second.figure - first.figure
    n_units = sides[0].value.shape[1]
    share = first.is_share and second.is_share
    seeded = first.seeded, second.seeded
    if any(side.alone for side in sides):
        found = with_one_unit(value, share)
        boot = found.interval
    else:
        parts = spread(sides, seeded)
        moderated = spread(sides, seeded, shared) if shared else parts
        method = "t_questions" if clusters is None else "t_clusters"
        if parts.seed_degrees:
            method = "t_moderated" if shared else "t_crossed"
        found = by_t(value, moderated, n_units, share, method)
        single = first.runs == second.runs == 1
        boot = bca(sides, draws, seed) if single else seeds_and_questions(sides, seeded, parts, draws, seed)
    table = outcomes_of(first, second)
    if table and clusters is None:
        found = by_mcnemar(table, found)
    return Difference(
        **vars(found),
        difference=value,
        bootstrap_interval=within(boot, share),
        mcnemar_p=exact_p(table.only_first, table.only_second) if table else None,
        outcomes=table,
        conditional_interval=conditional_interval(table.only_first, table.only_second, table.n) if table else None,
        n=int((first.counts | second.counts).sum()),
    )


@dataclass(frozen=True)
class Found:
    """What one method says of a difference."""

    interval: Interval
    method: str
    p: float
    p_method: str
    smallest: float | None
    standard_error: float
    degrees: float


def by_t(value: float, parts: Spread, n_units: int, share: bool, method: str) -> Found:
    """t with the variance of the parts together."""
    from scipy.stats import t

    variance, degrees = combined(parts)
    error = float(np.sqrt(variance))
    if error <= 1e-12 * max(1, abs(value)):
        return where_nothing_varies(value, n_units, share)
    reach = float(t.isf(0.025, degrees)) * error
    interval = within((value - reach, value + reach), share)
    p = float(2 * t.sf(abs(value) / error, degrees))
    return Found(interval, method, p, method, Detection(parts).smallest(), error, degrees)


def by_mcnemar(table: Outcomes, found: Found) -> Found:
    """What an exact test says of two runs of right and wrong answers to questions that were drawn one by one."""
    return replace(
        found,
        interval=newcombe(**vars(table)),
        method="newcombe",
        p=exact_p(table.only_first, table.only_second),
        p_method="mcnemar_exact",
        smallest=smallest_by_mcnemar((table.only_first + table.only_second) / table.n, table.n),
    )


def where_nothing_varies(value: float, n_units: int, share: bool) -> Found:
    """All units differ alike (mostly: not at all), so their spread says nothing.

    Then the share of units that would differ otherwise is below ``1 − 0.025^(1/units)``: with 97.5% certainty, or one
    of them would have been seen. Each moves the difference by at most ``1 + |value|``. A sign test gives p.
    """
    reach = (1 + abs(value)) * (1 - 0.025 ** (1 / n_units)) if share else 0.0
    interval = within((value - reach, value + reach), share)
    p = min(1.0, 2 * 0.5**n_units) if abs(value) > 1e-12 else 1.0
    least = smallest_by_mcnemar(0, n_units) if share else None
    return Found(interval, "exact_bound", p, "sign", least, 0.0, float(n_units - 1))


def with_one_unit(value: float, share: bool) -> Found:
    """One question or cluster: all that is known of a share is that it lies in [0, 1]."""
    if not share:
        raise NothingToCompare("one question or cluster alone gives no interval")
    return Found((-1.0, 1.0), "one_unit", 1.0, "one_unit", None, 0.0, 1.0)


def within(interval: Interval, share: bool) -> Interval:
    """The interval without what no difference of shares can be."""
    return (max(-1.0, interval[0]), min(1.0, interval[1])) if share else interval


def outcomes_of(first: Arm, second: Arm) -> Outcomes | None:
    """The table of four of two single runs of right and wrong answers; None for other arms."""
    if first.runs > 1 or second.runs > 1 or not (first.is_binary and second.is_binary):
        return None
    one, other = first.value[0] == 1, second.value[0] == 1
    return Outcomes(*(int(each.sum()) for each in (one & other, one & ~other, ~one & other, ~one & ~other)))
