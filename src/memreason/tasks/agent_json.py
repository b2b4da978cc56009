"""The agent-labelled JSON form, in which the paper's authors published their data.

A JSON array (or the same rows as JSONL) of
``{question, answer, cot_steps: ["[rag]: …", "[reason]: …"], split}``; `[rag]` means memory.
Some rows of the published files have faults (blemishes). The rest of a file is used all the same:

- a step with a label but without a text is dropped;
- a solution with a step whose label is missing, unknown or ambiguous (`[reason] and [rag]`), or
  with no step left, is left out of train; in other splits its question and answer are kept, without steps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.planning_tokens.names import SPELLINGS
from memreason.records import MEMORY, REASON, Solution, Step, lettered, one_line
from memreason.runtime.files import listed, parse_json, read_jsonl, read_lines, read_text, write_json
from memreason.runtime.reading import reading, shown
from memreason.tasks.assemble import Record
from memreason.tasks.fields import identifier
from memreason.tasks.tables import is_table, read_table

SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation",
          "dev": "validation", "test": "test"}  # fmt: skip
FORM = '{"question": …, "answer": …, "cot_steps": ["[rag]: …", "[reason]: …"], "split": …}'
LABELS = {MEMORY: MEMORY, REASON: REASON, **SPELLINGS}

_STEP = re.compile(r"\s*\[([^\]]*)\]\s*(.*)", re.DOTALL)
_PROMPT = re.compile(r"^\s*question\s*:\s*", re.IGNORECASE)
_SPLIT_WORD = re.compile(r"(?<![a-z])(train|validation|valid|val|dev|test)(?![a-z])", re.IGNORECASE)

Row = tuple[str, str, dict[str, Any]]
"""(place, the split that the file's name says or "", the row)."""


def read_rows(path: Path, name: str, stems: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of the file ``path``, or of those files in the folder ``path`` that belong to the dataset ``name``.

    ``stems`` are as in `dataset_files`. Raises UserError where there are no such files.
    """
    for file in [path] if path.is_file() else dataset_files(path, name, stems):
        parts = [stem(file).replace("_", " "), *file.relative_to(path).parts[:-1]]
        match = next(filter(None, map(_SPLIT_WORD.search, parts)), None)
        split = SPLITS[match[1].lower()] if match else ""
        for place, row in read_array(file):
            yield place, split, row


def read_array(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of each row of a file, compressed (.gz) or not.

    The file is JSONL, a JSON array, an object with an array under "examples", a single object, or a table
    (`tables.is_table`). Raises UserError for anything else.
    """
    if is_table(path):
        yield from read_table(path)
        return
    first = next((line for _, line in read_lines(path) if line.strip()), "").strip()
    of_lines = ".jsonl" in path.suffixes[-2:]
    if not (first.startswith("[") or (first and not of_lines and not _is_row(first))):
        yield from ((f"{path}:{number}", row) for number, row in read_jsonl(path))
        return
    document = parse_json(read_text(path), path, "give a JSON array, or one object a line")
    if isinstance(document, dict) and "examples" not in document:
        yield str(path), document
        return
    rows = document["examples"] if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a JSON array, got {shown(rows)}; give one, or one object a line")
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UserError(
                f"{path}[{index}]: expected a JSON object, got {type(row).__name__}; correct it or leave it out"
            )
        yield f"{path}[{index}]", row


def _is_row(line: str) -> bool:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and "examples" not in row


def stem(path: Path) -> str:
    """A file's name without its ending, or without both endings of a compressed file (train.jsonl.gz → train)."""
    return path.with_suffix("").stem if path.suffix == ".gz" else path.stem


def is_data(path: Path) -> bool:
    """Whether the name of a file says that it holds questions."""
    name = path.with_suffix("") if path.suffix == ".gz" else path
    return (name.suffix in (".json", ".jsonl") or is_table(path)) and not _plain(name.stem).endswith("paragraphs")


def dataset_files(folder: Path, name: str, stems: Sequence[str] = ()) -> list[Path]:
    """The files in ``folder`` that belong to the dataset ``name``. The first of these rules that gives any file holds:

    - the file's name contains the dataset's name ("truthful_qa_train_clean_CC.json" belongs to truthfulqa), or one
      of ``stems``, parts of the names of its released files that lack the dataset's name;
    - the file's name is that of a split ("train.jsonl");
    - the file lies in or below a folder named like a split;
    - the folder's name contains the dataset's name: all its files.

    Raises UserError where no rule gives a file. Files of paragraphs, as StrategyQA has, are not data (`is_data`).
    """
    files = sorted(filter(is_data, folder.iterdir()))
    named = [path for path in files if any(known in _plain(stem(path)) for known in (name, *stems))]
    chosen = named or [path for path in files if stem(path).lower() in SPLITS]
    chosen = chosen or [path for split in SPLITS for path in sorted((folder / split).rglob("*.json*"))]
    if not chosen and name in _plain(folder.resolve().name):
        chosen = files
    if not chosen:
        present = listed(path.name for path in files) or "no .json, .jsonl or .csv file"
        raise UserError(
            f"--data_path {folder}: looked for .json, .jsonl or .csv files with {name} in their name (any case, "
            f"underscores allowed), or train/validation/test files or folders; found {present}"
        )
    return chosen


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def read_record(
    place: str, split: str, row: dict[str, Any], split_options: Callable[[str], tuple[str, tuple[str, ...]]]
) -> Record:
    """A row of this form as a Record; ``split_options`` separates the options from the question's text.

    Raises UserError where a field is missing or of the wrong type.
    """
    for field, type_ in (("question", str), ("answer", str | bool | int | float), ("cot_steps", list)):
        if not isinstance(row.get(field), type_):
            what = "is missing" if field not in row else f"is a {type(row[field]).__name__}"
            raise UserError(f'{place}: field "{field}" {what}; the agent-labelled form is {FORM}')
    text, options = split_options(_PROMPT.sub("", row["question"]))
    steps, blemishes, broken = read_steps(row["cot_steps"])
    with reading(place, "correct it, or leave it out"):
        return Record(
            place, text, options, row["answer"], steps, split_named(row.get("split")) or split or "train",
            identifier(row.get("id")), blemishes, broken,
        )  # fmt: skip


def split_named(value: object) -> str:
    """Our name for the split that a row names (val → validation); empty where it names none.

    Raises ValueError for an unknown name.
    """
    if value is None or value == "":
        return ""
    known = SPLITS.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise ValueError(f'field "split" must be train, validation or test, got {shown(value)}')
    return known


def read_steps(texts: Iterable[object]) -> tuple[tuple[Step, ...], tuple[str, ...], bool]:
    """(steps, blemishes, broken) of a `cot_steps` list; the last two as in `Record`."""
    steps: list[Step] = []
    blemishes: list[str] = []
    for text in texts:
        match = _STEP.fullmatch(text) if isinstance(text, str) else None
        label = match[1].strip().lower() if match else ""
        body = match[2] if match else ""
        if label not in LABELS or not body.startswith(":"):
            return (), (f"a step labelled {_label(text)}",), True
        if one_line(body[1:]):
            steps.append(Step(LABELS[label], one_line(body[1:])))
        elif not blemishes:
            blemishes.append("a step without text (such steps are dropped)")
    if not steps:
        return (), ("no step text",), True
    return tuple(steps), tuple(blemishes), False


def _label(text: object) -> str:
    label, colon, _ = text.partition(":") if isinstance(text, str) else ("", "", "")
    return f'"{label.strip()[:40]}"' if colon and label.strip().startswith("[") else "with nothing"


def export_agent_json(solutions: Iterable[Solution], path: Path) -> None:
    """Write solutions as a JSON array of this form; options become part of the question's text, as the form has it."""
    spelled = {ours: theirs for theirs, ours in SPELLINGS.items()}
    rows = []
    for solution in solutions:
        question = solution.question
        listed = " ".join(lettered(question.options))
        steps = [f"[{spelled.get(step.type, step.type)}]: {step.text}" for step in solution.steps]
        rows.append(
            {
                "id": question.id,
                "question": f"{question.text} Options: {listed}" if listed else question.text,
                "answer": question.answer,
                "cot_steps": steps,
                "split": question.split,
            }
        )
    write_json(path, rows)
