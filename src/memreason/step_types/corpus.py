"""The steps of many solutions, one row for each step: step types are fitted to them, and inferred for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from memreason.records import Solution, Step


@dataclass(frozen=True)
class Corpus:
    """``solutions`` and, if a method needs them, ``vectors``: (steps, width) float32, one row for each step.

    Rows are in the order of the solutions and of their steps.
    """

    solutions: Sequence[Solution]
    vectors: np.ndarray | None = None

    @cached_property
    def steps(self) -> list[Step]:
        """All steps."""
        return [step for solution in self.solutions for step in solution.steps]

    @cached_property
    def texts(self) -> list[str]:
        """The text of each step."""
        return [step.text for step in self.steps]

    @cached_property
    def ids(self) -> list[str]:
        """A name for each step: question id and position. It does not depend on the other solutions."""
        return [f"{s.question.id}:{i}" for s in self.solutions for i in range(len(s.steps))]

    @cached_property
    def owners(self) -> np.ndarray:
        """(steps,) int64: the number of the solution that each step belongs to."""
        return np.repeat(np.arange(len(self.solutions)), [len(s.steps) for s in self.solutions])

    @property
    def embedded(self) -> np.ndarray:
        """(steps, width) ``vectors``, for a method that needs them."""
        assert self.vectors is not None, "this method needs step embeddings"
        return self.vectors

    def relabelled(self, types: Sequence[str]) -> list[Solution]:
        """The solutions with ``types`` as the types of their steps; ``types`` has one entry for each step."""
        next_type = iter(types)
        return [replace(s, steps=tuple(Step(next(next_type), step.text) for step in s.steps)) for s in self.solutions]
