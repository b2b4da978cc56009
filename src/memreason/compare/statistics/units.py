"""What is drawn at random: questions, or clusters of questions; and how far each of them moves a figure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from memreason.compare.statistics.arm import Arm, NothingToCompare


@dataclass(frozen=True, eq=False)
class Units:
    """One arm, summed over the questions of each unit.

    Attributes:
        value: Sums of values, shape (runs, units).
        weight: Sums of weights, the same shape.
    """

    value: np.ndarray
    weight: np.ndarray

    @cached_property
    def by_run(self) -> np.ndarray:
        """Each run's figure, shape (runs,)."""
        return np.asarray(self.value.sum(1) / self.weight.sum(1))

    @cached_property
    def share(self) -> np.ndarray:
        """Each unit's share of its run's weight, shape (runs, units)."""
        return np.asarray(self.weight / self.weight.sum(1, keepdims=True))

    @property
    def alone(self) -> bool:
        """Whether a run has only one unit that counts, so that its units' spread cannot be known."""
        return bool(((self.weight > 0).sum(1) < 2).any())

    @cached_property
    def deviation(self) -> np.ndarray:
        """What each unit adds to the figure's error, shape (runs, units); their squares' sum estimates its variance.

        That is the linear part of the ratio, raised by ``1/√(1 − share)`` because the unit itself pulls the figure to
        where it lies ("CR2": Bell and McCaffrey, Survey Methodology 2002). With equal units: the usual s²/n.
        """
        residual = self.value / self.weight.sum(1, keepdims=True) - self.by_run[:, None] * self.share
        return np.asarray(residual / np.sqrt(1 - self.share))


def units(arms: tuple[Arm, ...], clusters: np.ndarray | None) -> tuple[Units, ...]:
    """Each arm by units, without the units that count nowhere.

    A unit is a question, or all questions with one number in ``clusters`` (questions,). Raises ValueError where arms
    and clusters have different numbers of questions, NothingToCompare where a run has no question that counts.
    """
    sizes = {arm.questions for arm in arms} | (set() if clusters is None else {len(clusters)})
    if len(sizes) > 1:
        raise ValueError(f"not the same questions: {', '.join(map(str, sorted(sizes)))} of them")
    for arm in arms:
        if not arm.weight.any(1).all():
            raise NothingToCompare(f"{arm.name}: no question counts")
    counted = np.logical_or.reduce([arm.counts for arm in arms])
    if clusters is None:
        return tuple(Units(arm.value[:, counted], arm.weight[:, counted]) for arm in arms)
    _, place = np.unique(np.asarray(clusters)[counted], return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))

    def summed(table: np.ndarray) -> np.ndarray:
        return np.asarray(np.add.reduceat(table[:, counted][:, order], starts, axis=1))

    return tuple(Units(summed(arm.value), summed(arm.weight)) for arm in arms)


def degrees_of_freedom(share: np.ndarray) -> float:
    """How many degrees of freedom the variance from `Units.deviation` has: at most units − 1, fewer where few units
    have most of the weight.

    ``share``: each unit's share of the weight, shape (units,). It is Satterthwaite's number for the squares' sum, if
    the questions within a unit were independent (Bell and McCaffrey 2002; Imbens and Kolesár, Review of Economics and
    Statistics 2016).
    """
    # The deviations are a(I − h1ᵀ)u, with h the shares, a = 1/√(1 − h), and u independent with variances h. Their
    # covariance is diagonal plus rank one: a_i a_j (h_i δ_ij − h_i h_j); the traces of it and of its square follow.
    raised = 1 / (1 - share)
    trace = float((raised * share * (1 - share)).sum())
    squared = float(((raised * share) ** 2 * (1 - 2 * share)).sum() + ((raised * share**2).sum()) ** 2)
    return trace**2 / squared
