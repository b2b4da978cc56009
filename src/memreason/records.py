"""The record types everybody speaks, in flow order: Question → Solution → Trace → Verdict.

Plain frozen dataclasses, and JSONL in and out. Nothing here imports torch.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypedDict, get_args

MEMORY, REASON, PLAIN = "memory", "reason", "step"
"""The two labelled step types, and the type of a step that carries no label."""

Outcome = Literal["correct", "incorrect", "no_answer"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its gold answer. ``options`` are texts; their letters A, B, … are implied."""

    id: str
    text: str
    answer: str
    options: tuple[str, ...] = ()
    dataset: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a solution or trace: its type and its text (one line, no planning tokens)."""

    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Solution:
    """What is trained on: a question, its ordered steps, and its answer (``question.answer``).

    ``steps`` is empty where a dataset gives only the answer; such a record can be tested on,
    not trained on.
    """

    question: Question
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """What a model wrote, parsed.

    ``text`` is the solution text as generated, planning tokens included, from the first prefix
    token on. ``answer`` is what stands on the answer line, as written, or None where there is no
    such line. ``well_formed`` says that the text is exactly what rendering its steps and answer
    gives; ``truncated`` that generation hit its length limit before the end token.
    """

    question: Question
    text: str
    steps: tuple[Step, ...]
    answer: str | None
    well_formed: bool
    truncated: bool


class TraceRow(TypedDict):
    """A line of traces.jsonl: a verdict with its trace and question, flat."""

    id: str
    """The question's id."""
    options: tuple[str, ...]
    """Texts of the options, which letters A, B, … stand for; empty where there are none."""
    dataset: str
    """The dataset that the question is of."""
    split: str
    """The dataset's split that the question is of."""
    question: str
    """The question's text."""
    gold: str
    """The right answer."""
    generated_text: str
    """What the model wrote, planning tokens included."""
    steps: list[dict[str, str]]
    """The steps in it, in order, each with its `type` and its `text`."""
    answer: str | None
    """What stands on the answer line, as written; null where there is no such line."""
    strict: str | None
    """The answer that the strict extractor finds, normalised; null where it finds none."""
    flexible: str | None
    """The same of the flexible extractor."""
    outcome: Outcome
    """Whether the strict answer is right."""
    flexible_outcome: Outcome
    """Whether the flexible answer is right."""
    well_formed: bool
    """Whether the text is exactly what rendering its steps and answer gives."""
    truncated: bool
    """Whether generation hit its length limit before the end token."""
    step_truth: tuple[bool | None, ...] | None
    """Where a judge read the steps, one entry a step and one more for the answer line: is the memory true, is the
    inference valid; null in it: the judge could not read the step."""
    cause: str | None
    """What went wrong first in a wrong answer that a judge read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The scoring of one trace.

    ``strict`` and ``flexible`` are the normalised answers that the two extractors found, or None;
    ``outcome`` is judged on the strict one, ``flexible_outcome`` on the flexible one.
    ``step_truth`` holds, where the task has a judge, one entry a step, and one more for the answer
    line: is the memory true, is the inference valid (None: the judge could not read the step).
    ``cause`` says, for a wrong answer with a judge, what went wrong first.
    """

    trace: Trace
    strict: str | None
    flexible: str | None
    outcome: Outcome
    flexible_outcome: Outcome
    step_truth: tuple[bool | None, ...] | None = None
    cause: str | None = None

    def to_json(self) -> TraceRow:
        """The flat JSON form written to ``traces.jsonl``; `verdict_from_json` reads it back."""
        trace, question = self.trace, self.trace.question
        return {
            "id": question.id,
            "options": question.options,
            "dataset": question.dataset,
            "split": question.split,
            "question": question.text,
            "gold": question.answer,
            "generated_text": trace.text,
            "steps": [asdict(step) for step in trace.steps],
            "answer": trace.answer,
            "strict": self.strict,
            "flexible": self.flexible,
            "outcome": self.outcome,
            "flexible_outcome": self.flexible_outcome,
            "well_formed": trace.well_formed,
            "truncated": trace.truncated,
            "step_truth": self.step_truth,
            "cause": self.cause,
        }


def _check_row(row: dict[str, Any]) -> None:
    """Raise KeyError for a missing field of `Verdict.to_json`, TypeError for one of another type."""
    texts = all(isinstance(row[name], str) for name in ("id", "question", "gold", "dataset", "split", "generated_text"))
    perhaps = all(isinstance(row[name], str | None) for name in ("answer", "strict", "flexible", "cause"))
    flags = all(isinstance(row[name], bool) for name in ("well_formed", "truncated"))
    outcomes = all(row[name] in get_args(Outcome) for name in ("outcome", "flexible_outcome"))
    options = isinstance(row["options"], list) and all(isinstance(option, str) for option in row["options"])
    steps = isinstance(row["steps"], list) and all(
        isinstance(step, dict) and all(isinstance(text, str) for text in step.values()) for step in row["steps"]
    )
    truth = row["step_truth"] is None or all(truth in (True, False, None) for truth in row["step_truth"])
    if not (texts and perhaps and flags and outcomes and options and steps and truth):
        raise TypeError("of another type than it is written with")


def verdict_from_json(row: dict[str, Any]) -> Verdict:
    """Read back what `Verdict.to_json` wrote; KeyError names a missing field, TypeError says that one is no such."""
    _check_row(row)
    question = Question(
        id=row["id"],
        text=row["question"],
        answer=row["gold"],
        options=tuple(row["options"]),
        dataset=row["dataset"],
        split=row["split"],
    )
    trace = Trace(
        question=question,
        text=row["generated_text"],
        steps=tuple(Step(**step) for step in row["steps"]),
        answer=row["answer"],
        well_formed=row["well_formed"],
        truncated=row["truncated"],
    )
    truth = row["step_truth"]
    return Verdict(
        trace=trace,
        strict=row["strict"],
        flexible=row["flexible"],
        outcome=row["outcome"],
        flexible_outcome=row["flexible_outcome"],
        step_truth=None if truth is None else tuple(truth),
        cause=row["cause"],
    )


def one_line(text: str) -> str:
    """Collapse every run of white space, newlines included, to one space: a step is one line."""
    return " ".join(text.split())


def spelled(value: str | bool | int | float) -> str:
    """A text or number as it is written: 2.0 is 2, as a table with a gap in it turns one into the other.

    Not a number, and none that ends, is the empty text.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
    return str(value)


AnswerKind = Literal["boolean", "choice", "math", "mixed", "number", "text"]
"""boolean: True/False; choice: a letter; mixed: a letter where the question has options, else
True/False; number: a number; math: anything in LaTeX, compared as mathematics; text: anything, compared
after normalisation."""


@dataclass(frozen=True)
class Judgement:
    """A machine's reading of one trace: per step and for the answer line (last), is the memory true
    in the table, does the inference follow from what the trace states before it; None where the
    step could not be read. ``cause`` is for wrong answers: what went wrong first."""

    step_truth: tuple[bool | None, ...]
    cause: Literal["false_memory", "wrong_inference", "unreadable"] | None
