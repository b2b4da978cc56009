"""The type of a loaded dataset, and the type of its description, which users see before it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from memreason.records import AnswerKind, Judgement, Solution, Trace


class StatedFact(NamedTuple):
    """A fact that a sentence states, in words: the ``value`` of what is called ``name`` ("the currency of Kenya").

    ``true`` is the true value, and ``holds`` says whether ``value`` is; both are None where that is not known.
    """

    name: str
    value: str
    true: str | None
    holds: bool | None


@dataclass(frozen=True)
class TaskData:
    """A loaded dataset: its splits and how to score it.

    ``splits`` maps train, validation and test (or test_seen and test_unseen) to Solutions.
    ``notes`` say in plain words which faults were found while loading, and what was done about each.
    ``judge`` checks a trace step by step, if the facts are in a table; else it is None.
    ``stated_facts`` reads the facts that a sentence states, true or false.
    """

    name: str
    answer_kind: AnswerKind
    splits: dict[str, Sequence[Solution]]
    notes: tuple[str, ...] = ()
    judge: Callable[[Trace], Judgement] | None = None
    stated_facts: Callable[[str], Sequence[StatedFact]] | None = None

    @property
    def test_splits(self) -> list[str]:
        """Names of the splits on which results are reported after training."""
        return [name for name in self.splits if name.startswith("test")]

    @property
    def step_types(self) -> set[str]:
        """The types of all steps in all splits."""
        return {step.type for solutions in self.splits.values() for solution in solutions for step in solution.steps}


class Task(NamedTuple):
    """The description of a dataset, which users see before it is loaded.

    ``answer_kind`` is None where it depends on the data. ``source`` says where it is read from. ``made_to_size``: it is
    not read, but generated with as many questions as the options ask for. ``hub_id`` is its name on the hub, and
    ``licence`` what its authors or its page there state; both are empty where there is none, or none was found.
    """

    description: str
    answer_kind: AnswerKind | None
    source: str
    made_to_size: bool = False
    hub_id: str = ""
    licence: str = ""
