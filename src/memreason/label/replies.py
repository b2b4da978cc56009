"""Reads and checks the agents' replies. Nothing is guessed: a reply that fails a check raises Problem with a reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from memreason.answers.extract import extract_strict, outcome
from memreason.answers.number import whole_number_line
from memreason.answers.thoughts import without_thoughts
from memreason.label.rejection_reasons import MOST_STEPS, REASONS, Problem
from memreason.label.reply_json import find_object
from memreason.label.unusable_facts import what_it_lacks
from memreason.llm.base import ELSEWHERE, Reply, object_schema
from memreason.records import MEMORY, REASON, AnswerKind, Question, Step, one_line
from memreason.tasks.agent_json import LABELS

__all__ = ["MOST_STEPS", "REASONS", "Problem", "read_answer", "read_facts", "read_plan"]

_DECORATION = " \t-*#.)(][0123456789"
_TEXT = {"type": "string"}
PLAN_SCHEMA = object_schema(
    steps={"type": "array", "items": object_schema(type={"type": "string", "enum": [MEMORY, REASON]}, text=_TEXT)},
    answer=_TEXT,
)
FACTS_SCHEMA = object_schema(facts={"type": "array", "items": {"type": ["string", "null"]}})
ANSWER_SCHEMA = object_schema(answer=_TEXT)

_STATED = re.compile(
    r"\b(?:the|final|correct|right) answer (?:is|must be|should be|would be|=)(?! not\b)"
    r"|\b(?:is|are|must be) the (?:final|correct|right) (?:answer|option|choice)\b"
    r"|\b(?:option|choice) (?:is|must be|would be|=) (?-i:\(?[A-Z]\b(?! [a-z]))",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
"""Control characters, characters that change the writing direction, and code points that are no characters."""
_PLANNING_TOKEN = re.compile(r"<(?:prefix|answer|memory|reason|rag|step|kmeans|sqvae)_\d+>", re.IGNORECASE)
_FRAME = re.compile(
    r"(\*\*|\*|__|_|`|\"|'|\$)(?P<inner>.+)\1|[“‘](?P<quoted>.+)[”’]|\\\((?P<maths>.+)\\\)"
    r"|\\(?:boxed|fbox|text|textbf|mathrm|mathbf)\s*\{(?P<boxed>[^{}]+)\}|\((?P<aside>[^()]+)\)|(?P<ended>.+)[.!]"
)
_LEAD_IN = re.compile(r"(?:the )?(?:final |correct |given )?(?:answer|option|choice)(?: is)?\b[:\s]*", re.IGNORECASE)


def read_json_object(reply: Reply, field: str) -> dict[str, Any]:
    """The JSON object with ``field`` in a reply, as `find_object` finds it. Raises Problem if there is none."""
    text = reply.text.strip()
    if reply.finish_reason in ("refusal", "content_filter"):
        raise Problem("refused", text[:500])
    if reply.finish_reason == "length":
        raise Problem("cut_off")
    if reply.finish_reason in ELSEWHERE:
        raise Problem(
            "not_in_content",
            f"the reply had no content, its text was in {reply.finish_reason}; turn this parser of the endpoint off",
        )
    visible = without_thoughts(text).strip()
    try:
        return find_object(text, field)
    except Problem as problem:
        if problem.code != "bad_json" or "{" in visible:
            raise
        if not visible:
            raise Problem("empty_reply") from None
        lacks = what_it_lacks(one_line(visible)) if any(map(str.isalnum, visible)) else None
        if lacks in ("refused", "unknown_fact"):
            raise Problem(lacks if field == "facts" else "refused", visible[:500]) from None
        raise


def read_plan(
    reply: Reply, question: Question, kind: AnswerKind, *, memory_first: bool = False, need_both: bool = True
) -> tuple[Step, ...]:
    """The steps of a plan or solution, after all checks of `check_steps` and of the answer against the gold answer.

    Raises Problem.
    """
    try:
        plan = read_json_object(reply, "steps")
    except Problem as problem:
        lines = _read_lines(without_thoughts(reply.text).strip()) if problem.code == "bad_json" else None
        if lines is None:
            raise
        plan = lines
    rows = plan.get("steps")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Problem("wrong_schema", '"steps" must be a list of objects with "type" and "text"')
    if not rows:
        raise Problem("wrong_schema", '"steps" is empty')
    if len(rows) > MOST_STEPS:
        raise Problem("too_many_steps", f"it has {len(rows)} steps, at most {MOST_STEPS} are allowed")
    steps = tuple(_step(number, row) for number, row in enumerate(rows, 1))
    check_steps(steps, memory_first=memory_first, need_both=need_both)
    _check_answer(plan.get("answer"), question, kind)
    return steps


def _step(number: int, row: dict[str, Any]) -> Step:
    label, text = row.get("type"), row.get("text")
    type_ = LABELS.get(label.strip("[] ").lower()) if isinstance(label, str) else None
    if type_ is None:
        raise Problem("unknown_label", f'step {number} has the type {label!r}; it must be "memory" or "reason"')
    if text is not None and not isinstance(text, str):
        raise Problem("wrong_schema", f'"text" of step {number} must be a text')
    step = Step(type_, one_line(text or ""))
    _check_text(f"step {number}", step.text)
    return step


def _check_text(name: str, text: str) -> None:
    """Raise Problem if a step's text, which is on one line, is not fit for training."""
    if not text:
        raise Problem("empty_step", f"{name} has no text")
    if code := what_it_lacks(text):
        raise Problem(code, f"{name} is {text[:200]!r}")
    if character := _CONTROL.search(text):
        raise Problem("control_character", f"{name} holds the control character U+{ord(character[0]):04X}")
    if token := _PLANNING_TOKEN.search(text):
        raise Problem("planning_token", f"{name} holds {token[0]}, a name that marks steps in training")


def check_steps(steps: Sequence[Step], *, memory_first: bool = False, need_both: bool = True) -> None:
    """Raise Problem if the steps together are not a valid solution."""
    types = [step.type for step in steps]
    if need_both and MEMORY not in types:
        raise Problem("no_memory_step", "no step is a memory step")
    if need_both and REASON not in types:
        raise Problem("no_reason_step", "no step is a reason step")
    if memory_first and MEMORY in types[(types.index(REASON) if REASON in types else len(types)) :]:
        raise Problem("wrong_order", "all memory steps must come before the first reason step")
    for number, step in enumerate(steps[:-1], 1):
        if _STATED.search(step.text):
            raise Problem("leaks_answer_early", f"step {number} states the answer; only the last step may")
    keys = [one_line(step.text).casefold() for step in steps]
    if len(set(keys)) < len(keys):
        twice = next(number for number, key in enumerate(keys, 1) if key in keys[: number - 1])
        raise Problem("repeated_step", f"step {twice} repeats an earlier step")


def _check_answer(answer: object, question: Question, kind: AnswerKind) -> None:
    if not isinstance(answer, str | bool | int | float):
        raise Problem("wrong_schema", '"answer" is missing')
    if not any(_is_gold(text, question, kind) for text in _bare(one_line(str(answer)))):
        raise Problem("contradicts_gold", f'"answer" is {str(answer)[:200]!r}, the given answer is {question.answer!r}')


def _bare(text: str) -> list[str]:
    """An answer as written, then without one frame after another: emphasis, quotes, dollars, a box, "the answer is"."""
    readings = [text]
    for _ in range(5):
        frame = _FRAME.fullmatch(text)
        inner = next(filter(None, frame.groups()[1:]), text) if frame else _LEAD_IN.sub("", text, count=1)
        if not inner.strip() or inner == text:
            break
        text = inner.strip()
        readings.append(text)
    return readings


def _is_gold(text: str, question: Question, kind: AnswerKind) -> bool:
    if outcome(extract_strict(text, question, kind), question.answer, kind) == "correct":
        return True
    if question.options:
        text = text.translate(dict.fromkeys(map(ord, "*`")))  # "**B**. pen"
        if extract_strict(text, question, kind) == question.answer:
            return True
        letters = [chr(65 + i) for i, option in enumerate(question.options) if option.casefold() == text.casefold()]
        return letters == [question.answer]
    number = whole_number_line(question.answer) if kind == "text" else None
    return number is not None and number == whole_number_line(text)


def read_facts(reply: Reply, queries: Sequence[str]) -> tuple[str, ...]:
    """One fact for each query, in the order of the queries. Raises Problem."""
    facts = read_json_object(reply, "facts")["facts"]
    if not isinstance(facts, list) or not all(fact is None or isinstance(fact, str) for fact in facts):
        raise Problem("wrong_schema", '"facts" must be a list of texts')
    if len(facts) != len(queries):
        raise Problem("wrong_count", f"there are {len(queries)} queries, and {len(facts)} facts")
    for query, fact in zip(queries, facts, strict=True):
        if fact is None:
            raise Problem("unknown_fact", query)
        _check_text(f"the fact for {query!r}", one_line(fact))
    return tuple(one_line(fact) for fact in facts)


def read_answer(reply: Reply) -> str:
    """The answer in a reader's reply, on one line. Raises Problem."""
    answer = read_json_object(reply, "answer")["answer"]
    if not isinstance(answer, str | bool | int | float) or not one_line(str(answer)):
        raise Problem("wrong_schema", '"answer" is missing')
    return one_line(str(answer))


def _read_lines(text: str) -> dict[str, Any] | None:
    """A plan that a small model wrote as lines instead of JSON; None if ``text`` is not such a plan.

    The lines are "memory: …" or "2. [reason]: …", and "answer: …" as the last one.
    """
    rows: list[dict[str, Any]] = []
    answer = None
    for line in text.splitlines():
        head, _, body = line.partition(":")
        label = head.strip(_DECORATION).lower()
        if label in LABELS:
            if answer is not None:
                return None
            rows.append({"type": label, "text": body.strip(" *")})
        elif label in ("answer", "the answer is", "final answer"):
            answer = body.strip(" *").rstrip(".")
    return {"steps": rows, "answer": answer} if rows and answer is not None else None
