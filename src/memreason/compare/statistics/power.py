"""How large a true difference must be to be found, before a study and after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from memreason.compare.statistics.crossed import Spread, caution, combine

LEVEL = 0.05


class Detection:
    """How likely the test by t (`difference`) is to find a true difference, if these are the parts of the variance.

    The estimates of the parts vary as chi-square does, and the chance is averaged over them. With one run a side that
    is the noncentral t distribution.
    """

    def __init__(self, parts: Spread) -> None:
        from scipy.stats import t

        self.true = parts.questions + max(0.0, parts.seeds - parts.both)
        if not self.true:
            return
        factor, chance = chi_square_factors(parts.degrees)
        factor, self.chance = factor[:, None], chance[:, None]
        seeds = np.zeros(1)
        if parts.seed_degrees:
            other, other_chance = chi_square_factors(parts.seed_degrees)
            seeds, self.chance = max(parts.seeds, parts.both) * other, self.chance * other_chance
        questions, both = parts.questions * factor, parts.both * factor
        variance, degrees = combine(parts, questions, seeds, both)
        self.bar = t.isf(LEVEL / 2, degrees) * np.sqrt(variance / self.true)

    def power(self, effect: float) -> float:
        """The chance that a true difference ``effect`` gives p < 0.05 (two-sided)."""
        from scipy.special import ndtr

        if not self.true:
            return 1.0 if effect else 0.0
        shift = abs(effect) / np.sqrt(self.true)
        return float((self.chance * (ndtr(shift - self.bar) + ndtr(-shift - self.bar))).sum())

    def smallest(self, chance: float = 0.8) -> float:
        """The smallest true difference that gives p < 0.05 with this chance; 0 where nothing varies."""
        return smallest(self.power, chance, float(np.sqrt(self.true))) if self.true else 0.0


def mcnemar_power(effect: float, discordant: float, n: int) -> float:
    """The chance that McNemar's exact test gives p < 0.05 for one run a side on ``n`` questions.

    ``discordant`` is the share of questions with different outcomes; ``effect``, the true difference, is at most that,
    since it is the share that only the second run answers rightly less the share that only the first does.
    """
    from scipy.stats import binom

    if abs(effect) > discordant * (1 + 1e-9):
        raise ValueError(f"a difference of {effect} needs at least as large a share of different outcomes")
    if not discordant:
        return 0.0
    spread = 8 * np.sqrt(n * discordant * (1 - discordant)) + 8
    found = np.arange(max(0, int(n * discordant - spread)), min(n, int(n * discordant + spread)) + 1)
    # The test rejects if the smaller of the two counts is at most `most`, the largest with a tail of at most 2.5%.
    most = binom.ppf(LEVEL / 2, found, 0.5)
    most = np.where(binom.cdf(most, found, 0.5) > LEVEL / 2, most - 1, most)
    wins = min(1.0, max(0.0, (1 + effect / discordant) / 2))
    rejected = binom.cdf(most, found, wins) + binom.cdf(most, found, 1 - wins)
    return float((binom.pmf(found, n, discordant) * rejected).sum())


@cache
def smallest_by_mcnemar(discordant: float, n: int, chance: float = 0.8) -> float | None:
    """The smallest true difference that McNemar's exact test finds with this chance.

    Where it is larger than the share ``discordant``, all different outcomes are taken to be on one side, and as many as
    are needed. None if n is too small for any difference (below 6 no table is significant).
    """
    if mcnemar_power(1.0, 1.0, n) < chance:
        return None
    return smallest(lambda effect: mcnemar_power(effect, max(effect, discordant), n), chance, 1 / n, 1.0)


@dataclass(frozen=True)
class Plan:
    """A comparison that has not run yet, and what is assumed of it.

    Attributes:
        questions: How many test questions both arms answer.
        runs: How many runs (seeds) each of the two arms has.
        discordant: The share of questions that a run of one arm answers rightly and a run of the other wrongly, or the
            other way round.
        flips: The same share for two runs of one arm, which differ by their seed; at most ``discordant``. None: equal
            to it, as where the arms do not differ by more than seeds do.
        seed_spread: The standard deviation of an arm's true accuracy over seeds, beyond what few questions make: 0.01
            is one point.
        clusters: In how many clusters the questions lie; None without.
        cluster_correlation: How alike the differences of two questions of a cluster are, from 0 to 1.
    """

    questions: int
    runs: tuple[int, int] = (1, 1)
    discordant: float = 0.2
    flips: float | None = None
    seed_spread: float = 0.0
    clusters: int | None = None
    cluster_correlation: float = 0.0

    def __post_init__(self) -> None:
        flips = self.discordant if self.flips is None else self.flips
        if self.questions < 2 or min(self.runs) < 1 or (self.clusters is not None and self.clusters < 2):
            raise ValueError("a plan needs at least two questions, one run an arm, and two clusters if it has clusters")
        if not 0 <= flips <= self.discordant <= 1 or not 0 <= self.cluster_correlation <= 1 or self.seed_spread < 0:
            raise ValueError("shares lie in 0 to 1, flips are not more than discordant, a spread is not negative")

    @property
    def parts(self) -> Spread:
        """The parts of the variance that follow from the assumptions."""
        units = self.clusters or self.questions
        raised = 1 + (self.questions / units - 1) * self.cluster_correlation  # the design effect: Kish 1965
        drawn = sum(1 / runs for runs in self.runs)
        flips = self.discordant if self.flips is None else self.flips
        both = flips / 2 * drawn * raised / self.questions
        questions = (self.discordant - flips) * raised / self.questions + both
        several = [runs for runs in self.runs if runs > 1]
        if not several:
            return Spread(questions, units - 1)
        freedom = mean_degrees(*self.runs) if len(several) == 2 else several[0] - 1.0
        seeds = self.seed_spread**2 * drawn + both
        return Spread(questions, units - 1, seeds, both, freedom, caution(freedom, len(several)))

    @property
    def exact(self) -> bool:
        """Whether McNemar's exact test will be used: one run a side, no clusters."""
        return self.runs == (1, 1) and self.clusters is None

    def power(self, effect: float) -> float:
        """The chance to find a true difference of ``effect`` with p < 0.05."""
        if self.exact:
            return mcnemar_power(effect, max(abs(effect), self.discordant), self.questions)
        return Detection(self.parts).power(effect)

    def smallest(self, chance: float = 0.8) -> float | None:
        """The smallest true difference that will be found with this chance; None if there is none."""
        if self.exact:
            return smallest_by_mcnemar(self.discordant, self.questions, chance)
        return Detection(self.parts).smallest(chance)


def smallest(of: Callable[[float], float], chance: float, start: float, most: float = np.inf) -> float:
    """Where a power that grows with the effect reaches ``chance``, by halving, to a thousandth of itself."""
    low, high = 0.0, min(start, most)
    while of(high) < chance and high < most:
        low, high = high, min(2 * high, most)
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if of(middle) < chance else (low, middle)
    return float(high)


def chi_square_factors(degrees: float, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Values of a variance's estimate over its true value, and their chances: Gauss-Legendre nodes in the quantile.

    The cube puts more nodes where the estimate is small, because there tests go wrong."""
    from scipy.stats import chi2

    place, chance = _nodes(count)
    return chi2.ppf(place**3, degrees) / degrees, chance * 3 * place**2


@cache
def _nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes in (0, 1), and their weights."""
    place, chance = np.polynomial.legendre.leggauss(count)
    return (place + 1) / 2, chance / 2


def mean_degrees(first: int, second: int) -> float:
    """Welch's degrees of freedom on average, for two arms of so many runs whose spreads are equal."""
    from scipy.stats import beta

    place = (np.arange(200) + 0.5) / 200
    # The first arm's part of the variance: a ratio of chi-squares.
    odds = beta.ppf(place, (first - 1) / 2, (second - 1) / 2)
    one, other = odds / (first - 1) / first, (1 - odds) / (second - 1) / second
    return float(((one + other) ** 2 / (one**2 / (first - 1) + other**2 / (second - 1))).mean())
