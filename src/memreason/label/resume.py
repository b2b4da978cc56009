"""Continues a run that was stopped or killed: with the same settings, after the last row on disk.

Both output files only grow, in the order of the questions, so they alone say how far the run has come. `catch_up`
goes through the questions and both files together, in constant memory. Replies that were paid for but are not yet in
a file are in the request cache (`llm.cache`), which also records the batches under way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.label.config import LabelConfig
from memreason.label.dialogue import Labeller
from memreason.label.questions import QuestionAndKind
from memreason.label.solutions_and_rejects import RunFiles, rejects_path
from memreason.llm.base import split_address
from memreason.records import Question
from memreason.runtime.files import read_json, write_json
from memreason.tasks.jsonl import question_row

_MEASURED = "measured_dtypes"


def settings_path(output: Path) -> Path:
    """The file of a run's settings, which every later sitting must share: OUTPUT.settings.json."""
    return output.with_suffix(".settings.json")


def begin(out: RunFiles, settings: dict[str, Any], overwrite: bool) -> None:
    """Start new files, or check that the existing ones were begun with the same settings.

    With ``overwrite``, files of an earlier run are emptied. Raises UserError if the settings differ, and if the files
    are not those of a run.
    """
    path = settings_path(out.output)
    begun = out.begun
    if begun and not path.exists():  # with ``overwrite`` too: the file may be the only copy of something else
        raise UserError(
            f"--output {out.output}: exists already, and is not of a run of `memreason label`; name another file"
        )
    if overwrite:
        path.unlink(missing_ok=True)
        out.clear()
        begun = False
    out.drop_torn_lines()
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
            f"--output {out.output} was begun with other settings: {'; '.join(changed)}. Name another file, or "
            "say --overwrite_output (replies that were paid for stay in the request cache)"
        )


def begun_dtypes(out: RunFiles) -> dict[str, str]:
    """A local model's endpoint name → the data type that this run was begun with."""
    measured = _read_settings(settings_path(out.output)).get(_MEASURED, {})
    return measured if isinstance(measured, dict) else {}


def keep_dtypes(out: RunFiles, dtypes: dict[str, str]) -> None:
    """Store the data types of local models for later sittings, for which another one might measure as the fastest."""
    if dtypes and dtypes != begun_dtypes(out):
        path = settings_path(out.output)
        write_json(path, {**_read_settings(path), _MEASURED: dtypes})


def catch_up(out: RunFiles, questions: Iterable[QuestionAndKind]) -> None:
    """Count the questions that have a result on disk. Raises UserError if the files are about other questions."""
    accepted, rejected = _rows(out.output), _rows(rejects_path(out.output))
    next_accepted, next_rejected = next(accepted, None), next(rejected, None)
    for question, _ in questions:
        if _is_row_of(question, next_accepted):
            out.accepted += 1
            next_accepted = next(accepted, None)
        elif next_rejected and _is_row_of(question, next_rejected):
            out.rejected[str(next_rejected.get("reason"))] += 1
            next_rejected = next(rejected, None)
        else:
            break
    left = next_rejected if next_accepted is None else next_accepted
    if left is not None:
        raise UserError(
            f"--output {out.output}: holds {left.get('id')!r}, which is not the question that comes next; the "
            "input has changed since then, or fewer questions are asked for. Name another output file, or say "
            "--overwrite_output"
        )


def _read_settings(path: Path) -> dict[str, Any]:
    return read_json(path, "name another --output, or say --overwrite_output")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _is_row_of(question: Question, row: dict[str, Any] | None) -> bool:
    return row is not None and all(row.get(name) == value for name, value in question_row(question).items())


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file, without a last line that has no line break: that one may not be complete."""
    if not path.exists():
        return
    # Bytes that are not UTF-8 become halves of surrogate pairs, which no row of a run holds.
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):
                return
            try:
                line.encode()
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                why = "not UTF-8" if isinstance(error, UnicodeError) else f"not valid JSON ({str(error)[:200]})"
                raise UserError(f"{path}:{number}: {why}; remove this line and all below it") from error
            yield row if isinstance(row, dict) else {}


def shared_settings(config: LabelConfig, labeller: Labeller) -> dict[str, Any]:
    """The options that every sitting of a run must share."""
    names = (
        "task", "data_path", "input", "input_config", "split", "question_column", "answer_column", "options_column",
        "id_column", "planner", "knowledge", "order", "base_url", "knowledge_base_url", "temperature", "max_tokens",
        "extra_body", "repairs", "need_both", "structured",
    )  # fmt: skip
    dtype = {} if config.dtype == "auto" else {"dtype": config.dtype}
    kept = {name: getattr(config, name) for name in names}
    for name in ("base_url", "knowledge_base_url"):
        kept[name] = kept[name] and split_address(kept[name])[0]
    return {**kept, **dtype, "prompts": labeller.prompts.fingerprint}
