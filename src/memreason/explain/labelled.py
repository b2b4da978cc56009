"""Changing the memories in a trace where no table of facts is at hand: by the labelled solutions alone.

Which of the model's memories are false is not known then, and neither is what follows from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from memreason.records import MEMORY, Question, Solution, Step, Trace
from memreason.tasks.base import Changes, Rewriter, TaskData

NO_TABLE = "the dataset has no table of facts"
_LOWERED = ("A", "All", "An", "Both", "Each", "In", "It", "Most", "No", "One", "People", "Some", "The", "There", "They")
"""Words at the start of a sentence that are no names."""


def rewriter_of(task: TaskData, types_are_labels: bool = True) -> Rewriter:
    """The task's own rewriter, which reads what steps say, or else one from its labelled solutions, which can only go
    by types. ``types_are_labels``: in the model's traces the type `memory` has the meaning that it has in the data; it
    has not where types were inferred or shuffled."""
    return task.rewriter or LabelledRewriter(task, types_are_labels)


class LabelledRewriter:
    """The `Rewriter` of a task whose solutions have steps of the type `memory`, and that has no table of facts."""

    def __init__(self, task: TaskData, types_are_labels: bool = True):
        self._task, self._types_are_labels = task, types_are_labels
        self._pool: list[tuple[str, str]] | None = None

    def memories(self, trace: Trace) -> list[int]:
        """The steps of the type `memory`; none where this type says nothing of what a step says."""
        return [at for at, step in enumerate(trace.steps) if step.type == MEMORY and self._types_are_labels]

    def corrected(self, trace: Trace, solution: Solution) -> Changes | str:
        """The memories of the labelled solution in place of the trace's, from the first one on."""
        gold = _memories(solution.steps)
        if not gold:
            return "the labelled solution has no memory steps"
        own = self.memories(trace)
        if [_plain(trace.steps[at].text) for at in own] == [_plain(step.text) for step in gold]:
            return Changes()
        return Changes(insert={own[0] if own else 0: gold})

    def corrupted(self, trace: Trace) -> str:
        """Not possible: which other values a fact could have stands in no table."""
        return NO_TABLE

    def paraphrased(self, trace: Trace) -> Changes | str:
        """ "It is true that" before each memory: no other words of it are known to mean the same."""
        edits: dict[int, Step | None] = {
            at: Step(MEMORY, f"It is true that {_within(trace.steps[at].text)}") for at in self.memories(trace)
        }
        return Changes(edits) if edits else "no step has the type memory"

    def irrelevant(self, trace: Trace) -> Changes | str:
        """A memory of another question's labelled solution, behind the last memory."""
        if self._pool is None:
            solutions = (solution for some in self._task.splits.values() for solution in some)
            self._pool = [(s.question.id, step.text) for s in solutions for step in _memories(s.steps)]
        others = [text for id, text in self._pool if id != trace.question.id]
        if not others:
            return "no other labelled solution has a memory step"
        text = others[Random(trace.question.id).randrange(len(others))]
        own = self.memories(trace)
        return Changes(insert={own[-1] + 1 if own else 0: [Step(MEMORY, text)]})

    def follows(self, question: Question, steps: Sequence[Step]) -> None:
        """Not known."""

    def inference(self, question: Question, steps: Sequence[Step]) -> None:
        """Not known."""


def _memories(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if step.type == MEMORY and step.text]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def _within(text: str) -> str:
    """A sentence as it stands within another."""
    first, _, rest = text.partition(" ")
    return f"{first.lower()} {rest}" if first in _LOWERED else text
