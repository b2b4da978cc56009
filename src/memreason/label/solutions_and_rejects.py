"""The two files of a run: its solutions and its rejects, to which it appends in the order of the questions.

`resume` continues them in a later sitting.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from memreason.label.dialogue import Labelled, Rejection
from memreason.runtime.files import json_line
from memreason.runtime.locks import lock
from memreason.tasks.jsonl import question_row


def rejects_path(output: Path) -> Path:
    """The file of a run's rejects: OUTPUT.rejects.jsonl beside OUTPUT.jsonl."""
    return output.with_suffix(".rejects.jsonl")


@dataclass
class RunFiles:
    """A run's files, open for appending.

    ``accepted`` is the number of solutions, ``rejected`` the number of rejects by reason, both over all sittings.
    """

    output: Path
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    _files: list[TextIO] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many questions have a result (a solution or a rejection); they are always the first ones."""
        return self.accepted + self.rejected.total()

    @property
    def begun(self) -> bool:
        """Whether an earlier sitting has left something in the files."""
        return any(os.fstat(file.fileno()).st_size for file in self._files)

    def clear(self) -> None:
        """Empty the files."""
        for file in self._files:
            file.truncate(0)

    def drop_torn_lines(self) -> None:
        """Remove a last line without a line break, which a kill or a full disk left; its question is labelled again."""
        for file in self._files:
            _drop_torn_line(Path(file.name))

    def __enter__(self) -> RunFiles:
        self.output.parent.mkdir(parents=True, exist_ok=True)
        paths = (self.output, rejects_path(self.output))
        self._files = [open(path, "a", encoding="utf-8") for path in paths]  # noqa: SIM115
        lock(self._files[0].fileno(), f"--output {self.output}")
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.flush()
            os.fsync(file.fileno())
            file.close()

    def write(self, result: Labelled | Rejection) -> None:
        """Append the result of the question that is next in order."""
        if isinstance(result, Labelled):
            _append(self._files[0], solution_row(result))
            self.accepted += 1
        else:
            _append(self._files[1], rejection_row(result))
            self.rejected[result.reason] += 1


def solution_row(labelled: Labelled) -> dict[str, Any]:
    """A solution as a row of the `jsonl` task; a memory step also has the query that it answers."""
    steps = [
        {"type": step.type, "text": step.text, **({"query": query} if query else {})}
        for step, query in zip(labelled.solution.steps, labelled.queries, strict=True)
    ]
    return {**question_row(labelled.solution.question), "steps": steps}


def rejection_row(rejection: Rejection) -> dict[str, Any]:
    """A rejected question with the reason and every reply in full; `--input` can read it, to label it again."""
    return {
        **question_row(rejection.question),
        "reason": rejection.reason,
        "detail": rejection.detail,
        "replies": list(rejection.replies),
    }


def _append(file: TextIO, row: dict[str, Any]) -> None:
    file.write(json_line(row))
    file.flush()


def _drop_torn_line(path: Path) -> None:
    with open(path, "rb+") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
