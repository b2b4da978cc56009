"""What is drawn at random: questions, or clusters of questions; and how far each of them moves a figure."""

from __future__ import annotations

from dataclasses import dataclass

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

    @property
    def by_run(self) -> np.ndarray:
        """Each run's figure."""
        return np.asarray(self.value.sum(1) / self.weight.sum(1))

    @property
    def share(self) -> np.ndarray:
        """Each unit's share of its run's weight, shape (runs, units)."""
        return np.asarray(self.weight / self.weight.sum(1, keepdims=True))

    @property
    def alone(self) -> bool:
        """Whether a run has only one unit that counts, so that nothing can be known about their spread."""
        return bool(((self.weight > 0).sum(1) < 2).any())

    @property
    def deviation(self) -> np.ndarray:
        """By how much a run's figure falls if a unit is left out, shape (runs, units): the jackknife's differences."""
        residual = (self.value - self.by_run[:, None] * self.weight) / self.weight.sum(1, keepdims=True)
        return np.asarray(residual / (1 - self.share))


def units(arms: tuple[Arm, ...], clusters: np.ndarray | None) -> tuple[Units, ...]:
    """Each arm by units, without the questions that count nowhere.

    A unit is a question, or all questions with one number in ``clusters`` (questions,). Raises ValueError where arms and
    clusters have different numbers of questions, NothingToCompare where a run has no question that counts.
    """
    sizes = {arm.questions for arm in arms} | (set() if clusters is None else {len(clusters)})
    if len(sizes) > 1:
        raise ValueError(f"not the same questions: {', '.join(map(str, sorted(sizes)))} of them")
    for arm in arms:
        arm.by_run  # noqa: B018  raises where no question counts
    counted = np.logical_or.reduce([arm.counts for arm in arms])
    if not counted.any():
        raise NothingToCompare("no question counts")
    if clusters is None:
        return tuple(Units(arm.value[:, counted], arm.weight[:, counted]) for arm in arms)
    _, place = np.unique(np.asarray(clusters)[counted], return_inverse=True)
    starts = np.flatnonzero(np.diff(np.sort(place), prepend=-1))
    order = np.argsort(place, kind="stable")

    def summed(table: np.ndarray) -> np.ndarray:
        return np.asarray(np.add.reduceat(table[:, counted][:, order], starts, axis=1))

    return tuple(Units(summed(arm.value), summed(arm.weight)) for arm in arms)
