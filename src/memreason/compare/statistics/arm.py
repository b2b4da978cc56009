"""What is compared, and what a comparison says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


class NothingToCompare(ValueError):
    """There is no figure, or no interval of one: no question counts, or only one."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One side of a comparison: one run, or several runs that differ by their seed only.

    A run's figure is ``value.sum() / weight.sum()`` over its questions; the arm's is the mean over its runs. All arms
    of one comparison have the same questions in the same order. Raises ValueError where shapes or numbers cannot be
    right.

    Attributes:
        name: For messages.
        value: What is counted, shape (runs, questions): 1 if the answer is right; how many memory steps are true; …
        weight: What it is a share of, the same shape: 1; how many memory steps there are. 0 where the question says
            nothing about this figure.
        seeded: Whether another seed would have given another run. False for a model that was not trained: its answers
            have no spread from run to run.
    """

    name: str
    value: np.ndarray
    weight: np.ndarray
    seeded: bool = True

    def __post_init__(self) -> None:
        for key in ("value", "weight"):
            array = np.atleast_2d(np.asarray(getattr(self, key), float))
            if array.ndim > 2 or not np.isfinite(array).all():
                raise ValueError(f"{self.name}: {key} is no table of finite numbers, runs × questions")
            object.__setattr__(self, key, array)
        if self.value.shape != self.weight.shape:
            raise ValueError(f"{self.name}: {self.value.shape} values but {self.weight.shape} weights")
        if (self.weight < 0).any():
            raise ValueError(f"{self.name}: a weight is negative")
        if self.value[self.weight == 0].any():
            raise ValueError(f"{self.name}: a question of weight 0 has a value")

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self.value)

    @property
    def questions(self) -> int:
        """How many questions there are, with those that do not count."""
        return self.value.shape[1]

    @cached_property
    def counts(self) -> np.ndarray:
        """Which questions count in at least one run: booleans, one a question."""
        return np.asarray(self.weight.any(0))

    @cached_property
    def is_share(self) -> bool:
        """Whether every value lies between 0 and its weight, so that the figure lies in [0, 1]."""
        return bool((self.value >= 0).all() and (self.value <= self.weight).all())

    @cached_property
    def is_binary(self) -> bool:
        """Whether every question counts once, as right or wrong."""
        return bool((self.weight == 1).all() and np.isin(self.value, (0, 1)).all())

    @cached_property
    def by_run(self) -> np.ndarray:
        """The figure of each run, shape (runs,). Raises NothingToCompare where a run has no question that counts."""
        total = self.weight.sum(1)
        if not total.all():
            raise NothingToCompare(f"{self.name}: no question counts")
        return np.asarray(self.value.sum(1) / total)

    @property
    def figure(self) -> float:
        """The mean of the runs' figures."""
        return float(self.by_run.mean())


@dataclass(frozen=True)
class Rate:
    """The figure of one arm. Shares are in [0, 1]."""

    value: float
    """The measure: the mean over the runs."""
    interval: tuple[float, float]
    """95% interval of `value`, [low, high]."""
    by_run: tuple[float, ...]
    """The measure in each run."""
    n: int
    """Number of questions that count in at least one run."""


@dataclass(frozen=True)
class Outcomes:
    """How many questions two runs answered rightly: both, one of them only, neither."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def n(self) -> int:
        """How many questions there are."""
        return self.both + self.only_first + self.only_second + self.neither


@dataclass(frozen=True)
class Difference:
    """How much higher the figure of the second arm is than that of the first, on the same questions."""

    difference: float
    """The second side's figure minus the first's; of shares in [-1, 1]."""
    interval: tuple[float, float]
    """95% interval of the difference, [low, high]."""
    method: str
    """How the interval was made: `newcombe` (two runs of right and wrong answers), `t_questions`, `t_clusters`,
    `t_crossed` (runs × questions or clusters), `t_moderated` (the same, with the seeds' spread shared among the sides),
    `exact_bound` where nothing varies, `one_unit` where one question or cluster is all there is."""
    bootstrap_interval: tuple[float, float]
    """95% interval by the bootstrap: BCa for one run a side; else runs and questions (or clusters) are both drawn
    again."""
    p: float
    """p-value of no difference, two-sided."""
    p_method: str
    """Name of the test: `mcnemar_exact` with Newcombe's interval, `sign` with the exact bound; else as `method`."""
    mcnemar_p: float | None
    """p-value of McNemar's exact test, which takes questions as independent; null where there is no table."""
    outcomes: Outcomes | None
    """The table of the four outcomes; null for several runs, and for measures that are not right or wrong."""
    conditional_interval: tuple[float, float] | None
    """Exact 95% interval of the difference, given how many questions differ between the sides; null with no table."""
    standard_error: float
    """Standard error of the difference."""
    degrees: float
    """Degrees of freedom of the standard error: those of t, also where the interval and `p` are by another method."""
    smallest: float | None
    """The smallest true difference that such data would have shown (p < 0.05) with a chance of 80%; null where no
    difference would, or nothing is known of how the figure varies."""
    n: int
    """Number of questions that count on either side."""
