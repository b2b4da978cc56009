"""Converts labelled solutions between the paper's form (a .json array with `cot_steps`) and memreason's (.jsonl).

No text is changed: a published file that is converted to memreason's form and back is the same as before. The paper's
form has no place for some fields, such as the query behind a memory step; they are lost when converting to it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from memreason.errors import UserError
from memreason.planning_tokens.names import SPELLINGS
from memreason.records import lettered
from memreason.runtime.files import check_whole_characters, write_json, write_jsonl
from memreason.tasks import commonsenseqa, truthfulqa
from memreason.tasks.agent_json import LABELS, read_array

PUBLISHED = "published_question"
"""Field of memreason's form that keeps a published question as it was written, options included, for the way back."""
_SPLITTERS = (commonsenseqa.split_options, truthfulqa.split_options)
_STEP = re.compile(r"\[([^\]]*)\]: ?(.*)", re.DOTALL)
_THEIRS = {ours: theirs for theirs, ours in SPELLINGS.items()}


def convert(source: str, target: str) -> list[str]:
    """Convert one file, and return lines for the user that say what was done.

    A row is left out, and named, if one of its steps has no readable label or no text. Raises UserError for a file that
    cannot be read, rows of neither form, and a target that exists or has another ending.
    """
    to_ours = target.endswith(".jsonl")
    if not to_ours and not target.endswith(".json"):
        raise UserError(f"{target}: must end in .jsonl (memreason's form) or .json (the paper's)")
    if not Path(source).is_file():
        raise UserError(f"{source}: no such file")
    if Path(target).exists():
        raise UserError(f"{target}: exists already, and is not overwritten; name another file")
    rows, left_out = [], []
    for place, row in read_array(Path(source)):
        _check(place, row)
        converted = (_ours if to_ours else _theirs)(row)
        if converted is None:
            left_out.append(place.rpartition("/")[2])
        else:
            rows.append(converted)
    (write_jsonl if to_ours else write_json)(Path(target), rows)
    report = [f"{len(rows)} solutions written to {target}"]
    if left_out:
        listed = ", ".join(left_out[:20])
        report.append(f"{len(left_out)} left out, because a step has no readable label or no text: {listed}")
    return report


def _check(place: str, row: dict[str, Any]) -> None:
    check_whole_characters(place, json.dumps(row, ensure_ascii=False))
    if not isinstance(row.get("steps", row.get("cot_steps")), list):
        raise UserError(f'{place}: has neither a list of "steps" (memreason\'s form) nor of "cot_steps" (the paper\'s)')
    for field, type_ in (("question", str), ("answer", str | bool | int | float)):
        if not isinstance(row.get(field), type_):
            raise UserError(f'{place}: field "{field}" is missing, or of the wrong type')


def _ours(row: dict[str, Any]) -> dict[str, Any] | None:
    if "steps" in row:
        return row
    steps = []
    for text in row["cot_steps"]:
        match = _STEP.fullmatch(text) if isinstance(text, str) else None
        if match is None or match[1] not in LABELS or not match[2].strip():
            return None
        steps.append({"type": LABELS[match[1]], "text": match[2]})
    ours = {("steps" if key == "cot_steps" else key): (steps if key == "cot_steps" else row[key]) for key in row}
    stem, options = next((parts for split in _SPLITTERS if (parts := split(row["question"]))[1]), ("", ()))
    if str(row["answer"]) in ascii_uppercase[: len(options)]:
        ours |= {"question": stem, "options": list(options), PUBLISHED: row["question"]}
    return ours


def _theirs(row: dict[str, Any]) -> dict[str, Any] | None:
    if "cot_steps" in row:
        return row
    steps = [_their_step(step) for step in row["steps"]]
    if None in steps:
        return None
    listed = " ".join(lettered(row.get("options") or []))
    question = row.get(PUBLISHED) or (f"{row['question']} Options: {listed}" if listed else row["question"])
    kept = [key for key in row if key not in ("options", PUBLISHED)]
    theirs = {("cot_steps" if key == "steps" else key): (steps if key == "steps" else row[key]) for key in kept}
    return theirs | {"question": question}


def _their_step(step: object) -> str | None:
    if isinstance(step, str):  # memreason's form allows "[memory]: text" too
        match = _STEP.fullmatch(step)
        label, text = (match[1], match[2]) if match else ("", "")
    elif isinstance(step, dict):
        label, text = str(step.get("type")), str(step.get("text") or "")
    else:
        return None
    return f"[{_THEIRS.get(label, label)}]: {text}" if label in LABELS and text.strip() else None
