"""What a run leaves on disk: solutions and rejects, appended in the order of the questions.

Since both files only grow, and in one order, they alone say how far a run has come: going through
the questions and the files in step finds the place to go on from, in constant memory.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from memreason.errors import UserError
from memreason.label.dialogue import Labelled, Rejection
from memreason.label.questions import Asked
from memreason.records import Question
from memreason.runtime.files import read_json, write_json
from memreason.runtime.locks import lock
from memreason.tasks.agent_json import SPLITS

_MEASURED = "measured_dtypes"


def rejects_path(output: Path) -> Path:
    """Where a run's rejects go: OUTPUT.rejects.jsonl beside OUTPUT.jsonl."""
    return output.with_suffix(".rejects.jsonl")


def settings_path(output: Path) -> Path:
    """Where a run's settings are kept, which a later sitting must share: OUTPUT.settings.json."""
    return output.with_suffix(".settings.json")


@dataclass
class RunFiles:
    """A run's files, open for appending. ``accepted`` and ``rejected`` (by reason) count all sittings."""

    output: Path
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    _files: list[TextIO] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Questions that have ended, one way or the other: the first so many of them."""
        return self.accepted + self.rejected.total()

    def begin(self, settings: dict[str, Any], overwrite: bool) -> None:
        """Start the files, or make sure that they were begun with the same settings. Raises UserError."""
        path = settings_path(self.output)
        begun = any(os.fstat(file.fileno()).st_size for file in self._files)
        if begun and not path.exists():  # also where we are told to overwrite: it may be all that somebody has
            raise UserError(
                f"--output {self.output}: there already, and not of a run of `memreason label`; name another file"
            )
        if overwrite:
            path.unlink(missing_ok=True)
            for file in self._files:
                file.truncate(0)
            begun = False
        for file in self._files:
            _drop_torn_line(Path(file.name))
        if not begun:
            write_json(path, settings)
            return
        before = {name: value for name, value in _read_settings(path).items() if name != _MEASURED}
        changed = [
            f"{name} was {_short(before.get(name))}, is {_short(settings.get(name))}"
            for name in sorted({*before, *settings})
            if before.get(name) != settings.get(name)
        ]
        if changed:
            raise UserError(
                f"--output {self.output} was begun with other settings: {'; '.join(changed)}. Name another file, or "
                "say --overwrite_output (replies paid for are kept in the request cache)"
            )

    def dtypes(self) -> dict[str, str]:
        """Local model → the data type that this run was begun with."""
        measured = _read_settings(settings_path(self.output)).get(_MEASURED, {})
        return measured if isinstance(measured, dict) else {}

    def keep_dtypes(self, dtypes: dict[str, str]) -> None:
        """Note them for later sittings, whose measurement might come out otherwise."""
        if dtypes and dtypes != self.dtypes():
            path = settings_path(self.output)
            write_json(path, {**_read_settings(path), _MEASURED: dtypes})

    def catch_up(self, questions: Iterable[Asked]) -> None:
        """Count what is done. Raises UserError where the files are not those of these questions."""
        accepted, rejected = _rows(self.output), _rows(rejects_path(self.output))
        next_accepted, next_rejected = next(accepted, None), next(rejected, None)
        for asked in questions:
            if _is_of(asked.question, next_accepted):
                self.accepted += 1
                next_accepted = next(accepted, None)
            elif next_rejected and _is_of(asked.question, next_rejected):
                self.rejected[str(next_rejected.get("reason"))] += 1
                next_rejected = next(rejected, None)
            else:
                break
        left = next_rejected if next_accepted is None else next_accepted
        if left is not None:
            raise UserError(
                f"--output {self.output}: holds {left.get('id')!r}, which is not the question that comes next; the "
                "input has changed since, or fewer questions are asked for. Name another output file, or say "
                "--overwrite_output"
            )

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
    """A solution as a line of the `jsonl` task; a memory step also has the query that it answers."""
    steps = [
        {"type": step.type, "text": step.text, **({"query": query} if query else {})}
        for step, query in zip(labelled.solution.steps, labelled.queries, strict=True)
    ]
    return {**_question_row(labelled.solution.question), "steps": steps}


def rejection_row(rejection: Rejection) -> dict[str, Any]:
    """A rejected question with its reason and every reply in full; can be labelled again with --input."""
    return {
        **_question_row(rejection.question),
        "reason": rejection.reason,
        "detail": rejection.detail,
        "replies": list(rejection.replies),
    }


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = read_json(path)
        if isinstance(settings, dict):
            return settings
        why = f"it holds a {type(settings).__name__}"
    except (ValueError, RecursionError, UserError) as error:
        why = str(error)
    raise UserError(
        f"{path}: not the settings of a run ({_short(why)}); name another --output, or say --overwrite_output"
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _question_row(question: Question) -> dict[str, Any]:
    row: dict[str, Any] = {"id": question.id, "question": question.text, "answer": question.answer}
    if question.options:
        row["options"] = list(question.options)
    if split := "test" if question.split.startswith("test") else SPLITS.get(question.split):
        row["split"] = split
    return row


def _is_of(question: Question, row: dict[str, Any] | None) -> bool:
    return row is not None and all(row.get(name) == value for name, value in _question_row(question).items())


def _append(file: TextIO, row: dict[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")
    file.flush()


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file's whole lines; a last line without an end may still be on its way."""
    if not path.exists():
        return
    # Bytes that are no UTF-8 become halves of surrogate pairs, which no row of ours holds.
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):
                return
            try:
                line.encode()
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                why = "not UTF-8" if isinstance(error, UnicodeError) else f"not valid JSON ({str(error)[:200]})"
                raise UserError(f"{path}:{number}: {why}; remove this line and all below") from error
            yield row if isinstance(row, dict) else {}


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line without an end, which a kill or a full disk left; its question is done again."""
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
