"""Many edited beginnings, continued greedily by one engine; the same beginning is continued only once."""

from __future__ import annotations

from tqdm.auto import tqdm

from memreason.errors import UserError
from memreason.generation.edit import Edited, edit
from memreason.generation.engine import Engine
from memreason.generation.request import Handle
from memreason.records import Trace
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
        cannot be continued."""
        try:
            edited = edit(self._engine.unit, trace, changes.edits, changes.insert)
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
