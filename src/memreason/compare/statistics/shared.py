"""What many trained arms say together of how much a seed matters.

Two runs of an arm leave one degree of freedom for the spread of its seeds, three leave two. If a study has ten such
arms, each of them has a better guess than its own: that of all. This is the moderated variance of Smyth (Statistical
Applications in Genetics and Molecular Biology 2004): an arm's own variance and a prior, weighted by their degrees of
freedom. Smyth estimates one number of degrees for the prior from how far the arms' variances agree, for thousands of
genes. With a few arms that number is nearly unknown, and one restless arm among calm ones would be taken for a calm
one. So each arm has a number of its own here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memreason.compare.statistics.arm import Arm

FEWEST = 4
"""How many trained arms with several runs it takes: fewer would say little of each other."""


@dataclass(frozen=True)
class SharedSpread:
    """How the figures of runs vary from seed to seed, in all trained arms of a study that have several runs.

    Attributes:
        mean: The mean of the arms' variances, weighted by their degrees of freedom.
        typical: The square of the mean of their standard deviations (without bias): a restless arm moves it less.
        total: The sum of the arms' degrees of freedom.
        degrees: The mean of them.
    """

    mean: float
    typical: float
    total: float
    degrees: float

    def moderated(self, variance: float, degrees: float) -> tuple[float, float]:
        """The variance of one of the arms with what the others say of it, and its degrees of freedom.

        The weight of the others is that of the arm's own runs, times the chance that an arm like the others would vary
        this much or more (an F test): an arm that plainly varies more than the others stays as it is.
        """
        from scipy.special import fdtrc

        others = max(0.0, self.mean * self.total - variance * degrees) / (self.total - degrees)
        ratio = variance / others if others else np.inf if variance else 0.0
        weight = float(fdtrc(degrees, self.total - degrees, ratio))
        return (variance + weight * self.typical) / (1 + weight), degrees * (1 + weight)


def shared_spread(arms: Sequence[Arm]) -> SharedSpread | None:
    """What these arms say of seeds together; None for fewer than `FEWEST` trained arms with several runs.

    Raises NothingToCompare where a run has no question that counts.
    """
    from scipy.special import gammaln

    several = [arm for arm in arms if arm.seeded and arm.runs > 1]
    if len(several) < FEWEST:
        return None
    degrees = np.array([arm.runs - 1.0 for arm in several])
    variances = np.array([arm.by_run.var(ddof=1) for arm in several])
    too_small = np.sqrt(2 / degrees) * np.exp(gammaln((degrees + 1) / 2) - gammaln(degrees / 2))
    typical = float(np.average(np.sqrt(variances) / too_small, weights=degrees)) ** 2
    mean = float(np.average(variances, weights=degrees))
    return SharedSpread(mean, typical, float(degrees.sum()), float(degrees.mean()))
