"""The record types that all parts use, in the order of the work: Question → Solution → Trace → Verdict.

They are plain frozen dataclasses; a `Verdict` also converts to and from a JSON object. Nothing here imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

MEMORY, REASON, PLAIN = "memory", "reason", "step"
"""The two labelled step types, and the type of a step without a label."""

Outcome = Literal["correct", "incorrect", "no_answer"]

Cause = Literal["unreadable", "missing_memory", "answer_slip", "false_memory", "wrong_inference", "both"]
"""Why an answer is wrong, in the order in which the causes are tried; `tasks.causes` defines them."""

Grounds = Literal["sound", "lucky", "unreadable"]
"""What a right answer rests on; `tasks.causes` defines it."""

Kind = Literal["memory", "reason"]
"""What a step says: a fact, or a conclusion."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its right answer. ``options`` holds their texts only; the letters A, B, … follow their order."""

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
    """One training example: a question, its steps in order, and its answer (``question.answer``).

    ``steps`` is empty where a dataset gives only the answer; a model can be tested on such a record, but not
    trained on it.
    """

    question: Question
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """What a model wrote, parsed.

    ``text`` is the solution text as generated, planning tokens included, from the first prefix
    token on. ``answer`` is the text on the answer line, as the model wrote it, or None without such a line.
    ``well_formed``: ``text`` is complete, and rendering its steps and answer gives it again, white space
    aside (`PlanningTokens.parse`). ``truncated``: generation reached its length limit before the end token.
    """

    question: Question
    text: str
    steps: tuple[Step, ...]
    answer: str | None
    well_formed: bool
    truncated: bool
    step_logprobs: tuple[float | None, ...] | None = None
    """The mean log-probability of the generated tokens of each step, and last that of the answer line (None where
    nothing was generated); None as a whole where it was not asked for."""
    ids: tuple[int, ...] | None = field(default=None, compare=False, repr=False)
    """The ids of the text behind the first prefix tokens, those that were given included, without the end token: from
    exactly these, an answer can be continued. None for a trace that was read from a file; it is not written there."""


class TraceRow(TypedDict):
    """A line of traces.jsonl: a verdict, its trace and its question in one flat object."""

    id: str
    """The question's id."""
    options: tuple[str, ...]
    """Texts of the options A, B, … in this order; empty where there are none."""
    dataset: str
    """The dataset that the question comes from."""
    split: str
    """The split of that dataset."""
    question: str
    """The question's text."""
    gold: str
    """The right answer."""
    generated_text: str
    """What the model wrote, planning tokens included."""
    steps: list[dict[str, str]]
    """The steps of the generated text, in order, each with its `type` and its `text`."""
    answer: str | None
    """The text on the answer line, as the model wrote it; null where there is no such line."""
    strict: str | None
    """The answer that the strict extractor gives, normalised; null where it gives none."""
    flexible: str | None
    """The answer that the flexible extractor gives, normalised; null where it gives none."""
    outcome: Outcome
    """Whether the strict answer is right: correct, incorrect, or no_answer."""
    flexible_outcome: Outcome
    """The same for the flexible answer."""
    well_formed: bool
    """Whether the generated text is complete, and rendering its steps and answer gives it again, white space aside."""
    truncated: bool
    """Whether generation reached its length limit before the end token."""
    step_truth: tuple[bool | None, ...] | None
    """One entry for each step, and a last one for the answer line: true where the memory is true or the inference is
    valid, null where that could not be judged. Null as a whole where the task has no judge."""
    cause: Cause | None
    """Why the answer is wrong, where it is wrong and the task has a judge. In files without `grounds`: the first fault,
    `false_memory`, `wrong_inference` or `unreadable`."""
    step_kinds: NotRequired[tuple[Kind | None, ...] | None]
    """What each step says, whatever its type: `memory` (a fact) or `reason` (a conclusion); null where the judge could
    not read the step. Null as a whole where the task has no judge; missing in older files."""
    grounds: NotRequired[Grounds | None]
    """What the right answer rests on, where it is right and the task has a judge; missing in older files."""
    step_logprobs: NotRequired[tuple[float | None, ...]]
    """The mean log-probability of the tokens of each step, without its planning tokens, and last that of the answer
    line; only where they were asked for."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The scoring of one trace.

    ``strict`` and ``flexible`` are the normalised answers of the two extractors, or None;
    ``outcome`` judges the strict answer, ``flexible_outcome`` the flexible one.
    ``step_truth``, ``cause``, ``step_kinds`` and ``grounds`` are as in `Judgement`, and None where no judge read it.
    """

    trace: Trace
    strict: str | None
    flexible: str | None
    outcome: Outcome
    flexible_outcome: Outcome
    step_truth: tuple[bool | None, ...] | None = None
    cause: Cause | None = None
    step_kinds: tuple[Kind | None, ...] | None = None
    grounds: Grounds | None = None

    def to_json(self) -> TraceRow:
        """The flat JSON object that is written to ``traces.jsonl``; `verdict_from_json` reads it back."""
        trace, question = self.trace, self.trace.question
        row: TraceRow = {
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
            "step_kinds": self.step_kinds,
            "grounds": self.grounds,
        }
        if trace.step_logprobs is not None:
            row["step_logprobs"] = trace.step_logprobs
        return row


def verdict_from_json(row: dict[str, Any]) -> Verdict:
    """Read back what `Verdict.to_json` wrote. Raises KeyError that names a missing field.

    The types of the fields are not checked; whoever reads a file does that first (`evaluation.files.read_traces`).
    """
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
        step_logprobs=tuple(row["step_logprobs"]) if row.get("step_logprobs") is not None else None,
    )
    truth, kinds = row["step_truth"], row.get("step_kinds")
    return Verdict(
        trace=trace,
        strict=row["strict"],
        flexible=row["flexible"],
        outcome=row["outcome"],
        flexible_outcome=row["flexible_outcome"],
        step_truth=None if truth is None else tuple(truth),
        cause=row["cause"],
        step_kinds=None if kinds is None else tuple(kinds),
        grounds=row.get("grounds"),
    )


def lettered(options: Sequence[str]) -> list[str]:
    """``options`` with their letters: "A. first", "B. second", …"""
    return [f"{chr(65 + place)}. {option}" for place, option in enumerate(options)]


def one_line(text: str) -> str:
    """``text`` as one line, as a step must be: each run of white space, newlines included, becomes one space."""
    return " ".join(text.split())


def spelled(value: str | bool | int | float) -> str:
    """A text or number as people write it: 2.0 becomes 2, because a table with an empty cell turns 2 into 2.0.

    NaN and the infinities become the empty text.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
    return str(value)


AnswerKind = Literal["boolean", "choice", "math", "mixed", "number", "text"]
"""How answers are read and compared. boolean: True or False; choice: a letter; mixed: a letter where the question has
options, else True or False; number: a number; math: anything in LaTeX, compared as mathematics; text: anything,
compared after normalisation."""


@dataclass(frozen=True)
class Judgement:
    """What a judge finds in one trace.

    ``step_truth`` has one entry for each step, and a last one for the answer line: for a step that says a fact, whether
    that is true; for a step that says a conclusion, and for the answer line, whether they follow from what the trace
    states before them. An entry is None where that could not be judged. ``kinds`` has one entry for each step: what it
    says, whatever its type, and None where it could not be read; empty, if the judge goes by the types.
    ``cause`` says why the answer is wrong, and ``grounds`` what a right one rests on (`tasks.causes`).
    """

    step_truth: tuple[bool | None, ...]
    cause: Cause | None
    kinds: tuple[Kind | None, ...] = ()
    grounds: Grounds | None = None
