"""Your own questions, as JSONL: one object per line.

    {"id": "q1", "question": "Is Lyon the capital of France?", "answer": "False",
     "steps": [{"type": "memory", "text": "The capital of France is Paris."},
               {"type": "reason", "text": "Lyon is not Paris."}], "split": "train"}

- ``question`` and ``answer`` are needed; ``steps`` are needed for training. The type of a step is memory or reason.
  A step may also be written as one string, "[memory]: The capital of France is Paris.".
- ``options`` is a list of texts, for the letters A, B, … in this order; the answer is then a letter.
- ``id`` and ``split`` (train, validation or test) are optional.
- ``cot_steps`` can be written for ``steps``, and `[rag]` for `[memory]`, so agent-labelled rows can be read too.

``--data_path`` is such a file, or a folder with train.jsonl, validation.jsonl, test.jsonl. A JSON array, CSV
and Parquet can be read too; all files but Parquet may be compressed (.gz). In a CSV, the cell of steps or options holds
JSON, or one entry per line.

The answer kind follows from the data: all True/False (or yes/no) → boolean; all with options → choice;
some of both → mixed; else text. The first bad line is an error that names it. Only one thing is repaired: the letters
of options ("A. Paris", "B. Rome") are removed, and this is noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from memreason.answers.extract import normalise_gold
from memreason.errors import UserError
from memreason.records import AnswerKind, Question, Solution, Step, one_line
from memreason.runtime.disk_list import DiskList
from memreason.runtime.files import listed, write_jsonl
from memreason.runtime.reading import reading, shown
from memreason.tasks.agent_json import LABELS, SPLITS, is_data, read_array, split_named, stem
from memreason.tasks.assemble import Notes, Record, assemble
from memreason.tasks.base import TaskData
from memreason.tasks.fields import MOST_OPTIONS, answer_of, identifier, without_letters


def load(data_path: str | None, *, seed: int = 0, num_validation: int = 100) -> TaskData:
    """Load a file or folder of the form above. Raises UserError with file:line, field and remedy."""
    if data_path is None:
        raise UserError("--dataset jsonl needs --data_path: a .jsonl file, or a folder with train.jsonl, …")
    path = Path(data_path).expanduser()
    records: DiskList[Record] = DiskList()
    notes = Notes()
    for file in _files(path):
        for place, row in read_array(file):
            record = read_record(place, SPLITS.get(stem(file).lower(), "train"), row)
            options, carried = without_letters(record.options)
            if carried:
                notes.add("records whose options carried their letters, which were taken off", place)
            records.append(replace(record, options=options))
    if not records:
        raise UserError(f"{path}: the dataset is empty; write one JSON object a line, with question, answer and steps")
    kind = _answer_kind(records)
    for record in records:
        _check_answer(record, kind)
    return assemble("jsonl", kind, records, notes, source=str(path), seed=seed, num_validation=num_validation)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"--data_path {path}: no such file or folder")
    present = sorted(path.iterdir())
    files = [file for file in present if file.suffix != ".json" and is_data(file) and stem(file).lower() in SPLITS]
    if not files:
        raise UserError(
            f"--data_path {path}: looked for train.jsonl, validation.jsonl and test.jsonl (or .csv, .parquet, .gz); "
            f"found {listed(file.name for file in present) or 'nothing'}"
        )
    return files


def read_record(place: str, split: str, row: dict[str, Any]) -> Record:
    """One row of the form above. Raises UserError with its place, field and remedy."""
    for field in ("question", "answer"):
        if field not in row:
            raise UserError(f'{place}: field "{field}" is missing; give each line a question and an answer')
    question = _text(place, "question", row["question"])
    options = row.get("options") or []
    if not isinstance(options, list) or len(options) == 1 or len(options) > MOST_OPTIONS:
        raise UserError(f'{place}: field "options" must be a list of 2 to {MOST_OPTIONS} texts, got {shown(options)}')
    options = tuple(_text(place, f"options[{i}]", option) for i, option in enumerate(options))
    steps = row.get("steps", row.get("cot_steps")) or []
    if not isinstance(steps, list):
        raise UserError(f'{place}: field "steps" must be a list, got {type(steps).__name__}')
    steps = tuple(_step(place, f"steps[{i}]", step) for i, step in enumerate(steps))
    with reading(place, "correct it, or leave it out"):
        named = split_named(row.get("split")) or split
        return Record(place, question, options, answer_of(row, "answer"), steps, named, identifier(row.get("id")))


def _step(place: str, field: str, step: object) -> Step:
    if isinstance(step, str):
        label, colon, text = step.partition("]:")
        if not colon or not label.lstrip().startswith("["):
            raise UserError(f'{place}: {field} has no label; write "[memory]: …" or "[reason]: …"')
        step = {"type": label.lstrip()[1:], "text": text}
    if not isinstance(step, dict) or "type" not in step or "text" not in step:
        raise UserError(f'{place}: {field} must be {{"type": …, "text": …}} or "[memory]: …"')
    label = str(step["type"]).strip().lower()
    if label not in LABELS:
        raise UserError(f'{place}: {field} has the unknown type "{label[:40]}"; use memory or reason')
    return Step(LABELS[label], _text(place, f"{field}.text", step["text"]))


def _text(place: str, field: str, value: object) -> str:
    if not isinstance(value, str):
        raise UserError(f'{place}: field "{field}" must be a text, got {type(value).__name__}')
    if not value.strip():
        raise UserError(f'{place}: field "{field}" is empty; write its text or remove it')
    return one_line(value)


def _answer_kind(records: Iterable[Record]) -> AnswerKind:
    with_options = without = False
    unclear: Record | None = None  # the first record without options whose answer is not True or False
    for record in records:
        with_options |= bool(record.options)
        without |= not record.options
        if unclear is None and not record.options and not normalise_gold(record.answer, _question(record), "boolean"):
            unclear = record
    if not without:
        return "choice"
    if unclear is None:
        return "mixed" if with_options else "boolean"
    if with_options:
        raise UserError(
            f"{unclear.place}: some records have options, so one without must be answered True or False, "
            f"got {shown(unclear.answer)}; give it options, or keep it in a dataset of its own"
        )
    return "text"


def _check_answer(record: Record, kind: AnswerKind) -> None:
    if normalise_gold(record.answer, _question(record), kind) is None:
        letters = f"a letter from A to {chr(64 + len(record.options))}" if record.options else "True or False"
        raise UserError(f'{record.place}: field "answer" must be {letters}, got {shown(record.answer)}')


def _question(record: Record) -> Question:
    return Question(record.id, record.question, str(record.answer), record.options)


def question_row(question: Question) -> dict[str, Any]:
    """A question as the fields of a row, as `load` reads them; every test split is `test`."""
    row: dict[str, Any] = {"id": question.id, "question": question.text, "answer": question.answer}
    if question.options:
        row["options"] = list(question.options)
    if split := "test" if question.split.startswith("test") else SPLITS.get(question.split):
        row["split"] = split
    return row


def export_jsonl(solutions: Iterable[Solution], path: Path) -> None:
    """Write solutions in the form above; `load` reads them back."""
    write_jsonl(
        path,
        (
            {**question_row(s.question), "steps": [{"type": step.type, "text": step.text} for step in s.steps]}
            for s in solutions
        ),
    )
