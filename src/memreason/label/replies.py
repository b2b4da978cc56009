"""What agents write back, read and checked. Nothing is guessed at: what fails has a name and a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from json_repair import repair_json

from memreason.answers import extract_strict, outcome
from memreason.llm import Reply
from memreason.records import MEMORY, REASON, Question, Step, one_line
from memreason.tasks import AnswerKind
from memreason.tasks.agent_json import LABELS
from memreason.thoughts import without_thoughts

MOST_STEPS = 20
_LONGEST_MENDED = 20_000
_DECORATION = " \t-*#.)(][0123456789"
REASONS = {
    "request_failed": "the endpoint gave no reply, after all retries",
    "refused": "the model declined to answer",
    "empty_reply": "the reply was empty",
    "cut_off": "the reply hit --max_tokens",
    "bad_json": "the reply was not JSON",
    "wrong_schema": "the reply was JSON of another form",
    "unknown_label": "a step was neither memory nor reason",
    "empty_step": "a step had no text",
    "too_many_steps": f"more than {MOST_STEPS} steps",
    "no_memory_step": "no step recalls a fact",
    "no_reason_step": "no step infers anything",
    "wrong_order": "a memory step after a reason step, in the order memory_first",
    "contradicts_gold": "the plan ends in another answer than the gold one",
    "leaks_answer_early": "a step before the last states the answer",
    "wrong_count": "not one fact for each query",
    "unknown_fact": "the knowledge agent does not know a fact that the plan needs",
    "repeated_step": "two steps say the same",
}
"""Why a row can be rejected: code → meaning."""

PLAN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"type": {"type": "string", "enum": [MEMORY, REASON]}, "text": {"type": "string"}},
                "required": ["type", "text"],
                "additionalProperties": False,
            },
        },
        "answer": {"type": "string"},
    },
    "required": ["steps", "answer"],
    "additionalProperties": False,
}
FACTS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"facts": {"type": "array", "items": {"type": ["string", "null"]}}},
    "required": ["facts"],
    "additionalProperties": False,
}
ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}

_OBJECT = re.compile(r'\{\s*["}]')
_STATED = re.compile(
    r"\b(?:the|final|correct|right) answer (?:is|must be|should be|would be|=)(?! not\b)"
    r"|\b(?:is|are|must be) the (?:final|correct|right) (?:answer|option|choice)\b"
    r"|\b(?:option|choice) (?:is|must be|would be|=) (?-i:\(?[A-Z]\b(?! [a-z]))",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"(?:null|none|n/?a|unknown|not known|i (?:do not|don['’]t) know\b.*)\W*", re.IGNORECASE)


class Problem(Exception):
    """A reply that cannot be used: ``code`` of `REASONS`, and a detail that can be told to the agent."""

    def __init__(self, code: str, detail: str = ""):
        super().__init__(detail or REASONS[code])
        self.code, self.detail = code, detail or REASONS[code]


def read_json_object(reply: Reply, field: str) -> dict[str, Any]:
    """The JSON object with ``field`` in a reply, the last if there are several, whatever stands around it.

    Small slips (single quotes, a comma too many) are mended, a text that breaks off is not: mending
    it would make a shorter solution out of a longer one. Raises Problem.
    """
    text = without_thoughts(reply.text).strip()
    if reply.finish_reason in ("refusal", "content_filter"):
        raise Problem("refused", text[:200])
    if reply.finish_reason == "length":
        raise Problem("cut_off")
    if not text:
        raise Problem("empty_reply")
    objects, start = [], text.find("{")
    decoder, at = json.JSONDecoder(), 0
    while match := _OBJECT.search(text, at):
        try:
            value, at = decoder.raw_decode(text, match.start())
        except json.JSONDecodeError:
            at = match.start() + 1
        except RecursionError:
            raise Problem("bad_json", "its objects are nested too deeply") from None
        else:
            objects.append(value)
            start = at if field in value else start
    whole = [value for value in objects if field in value]
    if start >= 0 and _breaks_off(text[start:]):
        raise Problem("bad_json", "it breaks off before its end")
    if whole:
        return whole[-1]
    mended = _mended(text)
    if field in mended:
        return mended
    if objects:
        raise Problem("wrong_schema", f'there is no JSON object with "{field}" in it')
    raise Problem("bad_json", "it is not one whole JSON object")


def _breaks_off(text: str) -> bool:
    return text.count("{") > text.count("}") or text.count("[") > text.count("]")


def _mended(text: str) -> dict[str, Any]:
    """The JSON object that was meant, where that is clear; else an empty one."""
    text = text[text.find("{") : text.rfind("}") + 1]
    if len(text) > _LONGEST_MENDED or text.count("{") > 10 * MOST_STEPS:  # mending takes quadratic time
        return {}
    try:
        value = repair_json(text, return_objects=True)
    except (ValueError, RecursionError):  # nested too deeply
        return {}
    return value if isinstance(value, dict) else {}


def read_plan(
    reply: Reply, question: Question, kind: AnswerKind, *, memory_first: bool = False, need_both: bool = True
) -> tuple[Step, ...]:
    """The steps of a plan or solution, checked against the question's gold answer. Raises Problem."""
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
    if not text or not one_line(text):
        raise Problem("empty_step", f"step {number} has no text")
    return Step(type_, one_line(text))


def check_steps(steps: Sequence[Step], *, memory_first: bool = False, need_both: bool = True) -> None:
    """Raise Problem where the steps together are not a solution."""
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


def _check_answer(said: object, question: Question, kind: AnswerKind) -> None:
    if not isinstance(said, str | bool | int | float):
        raise Problem("wrong_schema", '"answer" is missing')
    extracted = extract_strict(one_line(str(said)), question, kind)
    if outcome(extracted, question.answer, kind) != "correct":
        raise Problem("contradicts_gold", f'"answer" is {said!r}, the given answer is {question.answer!r}')


def read_facts(reply: Reply, queries: Sequence[str]) -> tuple[str, ...]:
    """One fact for each query, in their order. Raises Problem."""
    facts = read_json_object(reply, "facts")["facts"]
    if not isinstance(facts, list) or not all(fact is None or isinstance(fact, str) for fact in facts):
        raise Problem("wrong_schema", '"facts" must be a list of texts')
    if len(facts) != len(queries):
        raise Problem("wrong_count", f"there are {len(queries)} queries, and {len(facts)} facts")
    for query, fact in zip(queries, facts, strict=True):
        if fact is None or _UNKNOWN.fullmatch(one_line(fact)):
            raise Problem("unknown_fact", query)
        if not one_line(fact):
            raise Problem("empty_step", f"the fact for {query!r} is empty")
    return tuple(one_line(fact) for fact in facts)


def read_answer(reply: Reply) -> str:
    """The answer of a reader. Raises Problem."""
    answer = read_json_object(reply, "answer")["answer"]
    if not isinstance(answer, str | bool | int | float) or not one_line(str(answer)):
        raise Problem("wrong_schema", '"answer" is missing')
    return one_line(str(answer))


def _read_lines(text: str) -> dict[str, Any] | None:
    """A plan written as lines, "memory: …", "2. [reason]: …", and "answer: …" last, as small models do;
    None where it is none."""
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
