"""The type of a loaded dataset, and the type of its description, which users see before it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from memreason.records import AnswerKind, Judgement, Question, Solution, Step, Trace


@dataclass(frozen=True)
class Changes:
    """What is changed in a trace: what some steps (counted from 0) become, and which are put before a step."""

    edits: Mapping[int, Step | None] = field(default_factory=dict)
    """Step → what it becomes; None: it is removed."""
    insert: Mapping[int, Sequence[Step]] = field(default_factory=dict)
    """Step → the steps that are put before it; the number of steps → those behind the last."""

    def __bool__(self) -> bool:
        return bool(self.edits or self.insert)


class Rewriter(Protocol):
    """What a task can do with the facts that a trace states. A text in place of changes says why there are none.

    What is drawn depends on the question alone.
    """

    def memories(self, trace: Trace) -> Sequence[int]:
        """The steps that state facts, and conclude nothing."""

    def corrected(self, trace: Trace, solution: Solution) -> Changes | str:
        """Every false fact becomes true; where the facts still do not decide the question, those of the labelled
        ``solution`` are added. Empty where nothing is false or missing."""

    def corrupted(self, trace: Trace) -> Changes | str:
        """True facts become false: another value of the same kind."""

    def paraphrased(self, trace: Trace) -> Changes | str:
        """The same facts in other words."""

    def irrelevant(self, trace: Trace) -> Changes | str:
        """A true fact about something else is put behind the last memory."""

    def follows(self, question: Question, steps: Sequence[Step]) -> str | None:
        """The answer that the task's rules give from the facts that the steps state; None where they do not decide."""

    def inference(self, question: Question, steps: Sequence[Step]) -> str | None:
        """The text of a step that draws this conclusion; None where there is none, or it cannot be written."""


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
    ``judge`` checks a trace step by step, ``rewriter`` changes the facts in it, and ``stated_facts`` reads the facts
    that a sentence states, true or false, if they are in a table; else these are None.
    """

    name: str
    answer_kind: AnswerKind
    splits: dict[str, Sequence[Solution]]
    notes: tuple[str, ...] = ()
    judge: Callable[[Trace], Judgement] | None = None
    rewriter: Rewriter | None = None
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
