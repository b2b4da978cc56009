"""Questions and what is to be changed in their answers → the answers before and after: for `memreason intervene`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from memreason.errors import UserError
from memreason.generation.decoding import GREEDY, Decoding
from memreason.generation.edit import Edit, Edited, edit
from memreason.generation.request import Handle, Request
from memreason.reasoner import Reasoner
from memreason.records import Question, Step, Trace, one_line
from memreason.runtime.files import read_jsonl
from memreason.tasks.fields import MOST_OPTIONS

FORM = '{"question": "…", "options": ["…"], "steps": {"1": "another text", "2": null, "3": {"type": "reason"}}}'
"""A line of a file of edits."""


@dataclass(frozen=True)
class Wanted:
    """A question, and what is to be changed in the model's answer to it. Steps are counted from 0."""

    question: Question
    texts: Mapping[int, str | None] = field(default_factory=dict)
    """Step → its new text; None: the step is taken out."""
    types: Mapping[int, str] = field(default_factory=dict)
    """Step → its new type."""

    def edits(self, trace: Trace) -> dict[int, Edit]:
        """The edits to the model's answer."""
        edits: dict[int, Edit] = {}
        for at in sorted({*self.texts, *self.types}):
            if not 0 <= at < len(trace.steps):
                raise UserError(f"there is no step {at + 1}: the model's answer has {len(trace.steps)} steps")
            old, text = trace.steps[at], self.texts.get(at, trace.steps[at].text)
            edits[at] = None if text is None else Step(self.types.get(at, old.type), one_line(text))
        return edits


@dataclass(frozen=True)
class WhatIf:
    """The answers to one question, as the model gives it and after the edits."""

    before: Trace
    after: Trace | None = None
    """None where the answer could not be edited."""
    edited: Edited | None = None
    error: str | None = None
    """Why the answer could not be edited."""

    @property
    def changed(self) -> bool:
        """Whether the answer is another one."""
        return self.after is not None and self.after.answer != self.before.answer

    def to_json(self) -> dict[str, Any]:
        """{"id", "question", "options", "before", "after", "changed", "given", "kept_tokens", "error"}.

        ``before`` and ``after`` are {"steps": [{"type", "text"}], "answer", "well_formed", "truncated"}, ``given`` is
        the number of steps of ``after`` that the model did not write anew, and ``kept_tokens`` that of the tokens
        before the first change."""
        question = self.before.question
        return {
            "id": question.id,
            "question": question.text,
            "options": list(question.options),
            "before": _row(self.before),
            "after": _row(self.after) if self.after else None,
            "changed": self.changed if self.after else None,
            "given": len(self.edited.steps) if self.edited else None,
            "kept_tokens": self.edited.kept if self.edited else None,
            "error": self.error,
        }


def _row(trace: Trace) -> dict[str, Any]:
    return {
        "steps": [{"type": step.type, "text": step.text} for step in trace.steps],
        "answer": trace.answer,
        "well_formed": trace.well_formed,
        "truncated": trace.truncated,
    }


def what_if(
    reasoner: Reasoner, wanted: Sequence[Wanted], decoding: Decoding = GREEDY, progress: bool = False
) -> list[WhatIf]:
    """Answer each question, then edit its answer and go on from there. An answer that cannot be edited has an error.

    Raises UserError where a question leaves no room for an answer."""
    engine, results = reasoner.engine(), list[WhatIf]()
    with engine, tqdm(total=2 * len(wanted), desc="  answering", disable=not progress, unit="answer") as bar:

        def submit(request: Request) -> Handle:
            return engine.submit(request, on_end=lambda _: bar.update() and None)

        asked = [submit(Request(one.question, decoding=decoding)) for one in wanted]
        engine.run()
        handles: list[Handle | None] = []
        for one, handle in zip(wanted, asked, strict=True):
            before = handle.wait()[0].trace
            try:
                edited = edit(reasoner.unit, before, one.edits(before))
                handles.append(submit(edited.request(decoding)))
                results.append(WhatIf(before, edited=edited))
            except UserError as error:
                handles.append(None)
                results.append(WhatIf(before, error=str(error)))
        engine.run()
    return [
        WhatIf(result.before, handle.wait()[0].trace, result.edited) if handle else result
        for result, handle in zip(results, handles, strict=True)
    ]


def read_edits(path: Path) -> Iterator[Wanted]:
    """Read a file of edits. Raises UserError that names file:line for a line of another form."""
    if not path.is_file():
        raise UserError(f"--edits {path}: no such file; give lines of the form {FORM}")
    for number, row in read_jsonl(path):
        yield _wanted(row, f"{path}:{number}", str(number))


def _wanted(row: Mapping[str, Any], place: str, number: str) -> Wanted:
    question, options, steps = row.get("question"), row.get("options") or [], row.get("steps")
    if not isinstance(question, str) or not question.strip():
        raise UserError(f'{place}: "question" is missing, or is no text; a line has the form {FORM}')
    if not isinstance(options, list) or not all(isinstance(option, str) and option.strip() for option in options):
        raise UserError(f'{place}: "options" is no list of texts; a line has the form {FORM}')
    if len(options) == 1 or len(options) > MOST_OPTIONS:
        raise UserError(f'{place}: "options" has {len(options)}; give 2 to {MOST_OPTIONS}, or none')
    if not isinstance(steps, dict) or not steps:
        raise UserError(f'{place}: "steps" says what is to be changed; a line has the form {FORM}')
    texts: dict[int, str | None] = {}
    types: dict[int, str] = {}
    for name, new in steps.items():
        at = step_number(name, f"{place}: ")
        if at in texts or at in types:
            raise UserError(f"{place}: step {at + 1} stands there twice; say once what becomes of it")
        if new is None or isinstance(new, str):
            texts[at] = new
        elif isinstance(new, dict) and new and new.keys() <= {"type", "text"} and all(map(_is_text, new.values())):
            types |= {at: new["type"]} if "type" in new else {}
            texts |= {at: new["text"]} if "text" in new else {}
        else:
            raise UserError(f"{place}: step {name} is no text, no null, and no type and text; the form is {FORM}")
    id = str(row.get("id", number))
    return Wanted(Question(id, one_line(question), "", tuple(map(one_line, options))), texts, types)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def step_number(text: str, where: str) -> int:
    """A step that people count from 1, counted from 0. Raises UserError, whose message begins with ``where``."""
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        raise UserError(f"{where}step {text!r} is no number of a step: they are counted from 1")
    return int(text) - 1
