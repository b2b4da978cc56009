"""Many edited beginnings, continued greedily by one engine; the same beginning is continued only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tqdm.auto import tqdm

from memreason.errors import UserError
from memreason.generation.edit import Edited, edit
from memreason.generation.engine import Engine
from memreason.generation.request import Handle
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import PLAIN, Step, Trace
from memreason.tasks.base import Changes

Key = tuple[str, tuple[int, ...]]
"""The id of a question, and the ids that are given of its answer."""


class Continuations:
    """Beginnings are added, then continued together. Those of one question should be added one after another: their
    prompts begin alike, and are read once."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._handles: dict[Key, Handle] = {}
        self._waiting: list[Key] = []

    def add(self, trace: Trace, changes: Changes) -> tuple[Edited, Key] | str:
        """Take the beginning of a trace, with the changes to it; returns it, and the key of its whole answer; or why it
        cannot be continued. A new step of a type that the layout does not know gets one that it knows."""
        unit = self._engine.unit
        try:
            edited = edit(unit, trace, changes.edits, _typed(changes.insert, trace, unit.layout))
        except UserError as error:
            return f"it cannot be edited: {str(error).split(': ', 1)[-1]}"
        key = edited.question.id, edited.ids
        if key not in self._handles:
            try:
                self._handles[key] = self._engine.submit(edited.request())
            except UserError as error:
                return f"it cannot be continued: {error}"
            self._waiting.append(key)
        return edited, key

    def run(self, progress: str | None = None) -> None:
        """Continue all that were added. ``progress`` is the title of a progress bar."""
        with tqdm(total=len(self._waiting), desc=progress, disable=progress is None, unit="q") as bar:
            while self._engine.step():
                bar.update(sum(self._handles[key].done for key in self._waiting) - bar.n)
            bar.update(len(self._waiting) - bar.n)
        self._waiting.clear()

    def trace(self, key: Key) -> Trace:
        """The whole answer of a beginning that was continued."""
        return self._handles[key].wait()[0].trace


def _typed(insert: Mapping[int, Sequence[Step]], trace: Trace, layout: PlanningTokens) -> dict[int, tuple[Step, ...]]:
    """The new steps, each of a known type: its own, or else that of the trace's first step that has one, or the first.

    What a step says and what its type is called are two things where types were inferred, drawn or shuffled.
    """
    known = layout.known_types
    other = next((step.type for step in trace.steps if step.type in known), known[0])
    return {
        at: tuple(step if known == (PLAIN,) or step.type in known else replace(step, type=other) for step in steps)
        for at, steps in insert.items()
    }
