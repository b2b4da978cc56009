"""What a dataset is, once it is loaded, and what users see of it before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from memreason.records import AnswerKind, Judgement, Solution, Trace


@dataclass(frozen=True)
class TaskData:
    """A loaded dataset: its splits and how to score it.

    ``splits`` maps train / validation / test (or test_seen and test_unseen) to Solutions;
    ``notes`` say in plain words what blemishes were found while loading and what was done about
    each; ``judge`` reads a trace step by step where the facts are in a table, else None.
    """

    name: str
    answer_kind: AnswerKind
    splits: dict[str, Sequence[Solution]]
    notes: tuple[str, ...] = ()
    judge: Callable[[Trace], Judgement] | None = None

    @property
    def test_splits(self) -> list[str]:
        """Names of the splits on which results are reported after training."""
        return [name for name in self.splits if name.startswith("test")]

    @property
    def step_types(self) -> set[str]:
        """The types that its steps have."""
        return {step.type for solutions in self.splits.values() for solution in solutions for step in solution.steps}


class Task(NamedTuple):
    """What a user sees of a dataset before it is loaded.

    ``made_to_size``: it is generated with as many questions as are asked for, instead of read from somewhere.
    """

    description: str
    answer_kind: str
    source: str
    made_to_size: bool = False
