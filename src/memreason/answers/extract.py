"""Named answer extractors, and when two answers are equal. Needs no torch.

``strict`` reads the answer line and accepts nothing but an answer there; ``flexible`` looks through
the whole generated text. Both give a normalised answer, or None, which is *no answer*: that is not
the same as a wrong one. Neither ever takes a capital letter out of prose: "A dog" is not A.

`READERS` has both extractors of each kind of answer. They lie in a file each: `boolean`, `choice`, `number`, `text`,
and `mathematics/`. All of them look where `marks` finds an answer announced, and skip what `thoughts` finds thought.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from memreason.answers.boolean import find_boolean, whole_boolean_line
from memreason.answers.choice import find_letter, whole_letter_line
from memreason.answers.marks import own_part
from memreason.answers.mathematics.equality import clean, equal_math
from memreason.answers.mathematics.find import find_math
from memreason.answers.number import find_number, whole_number_line
from memreason.answers.text import equal_text, find_text, whole_text_line
from memreason.records import Outcome, Question, one_line, spelled

if TYPE_CHECKING:
    from memreason.records import AnswerKind

Kind = Literal["boolean", "choice", "math", "number", "text"]
Extractor = Callable[[str, Question], str | None]


class Reader(NamedTuple):
    """How answers of one kind are read: from an answer line, and from a whole text."""

    strict: Extractor
    flexible: Extractor


READERS: dict[Kind, Reader] = {
    "boolean": Reader(lambda line, _: whole_boolean_line(line), lambda text, _: find_boolean(text)),
    "choice": Reader(whole_letter_line, find_letter),
    "number": Reader(lambda line, _: whole_number_line(line), lambda text, _: find_number(text)),
    "math": Reader(lambda line, _: clean(line) or None, lambda text, _: find_math(text)),
    "text": Reader(lambda line, _: whole_text_line(line), lambda text, _: find_text(text)),
}
EQUAL: dict[str, Callable[[str, str], bool]] = {"math": equal_math, "text": equal_text}
"""(gold, extracted) → whether they are equal, for kinds whose answers have more than one spelling."""


def kind_of(question: Question, kind: AnswerKind) -> Kind:
    """The kind of this question's answer: in a mixed task, choice where it has options, else boolean."""
    if kind == "mixed":
        return "choice" if question.options else "boolean"
    return kind


def normalise_gold(answer: object, question: Question, kind: AnswerKind) -> str | None:
    """The gold answer as it is trained on and compared with; None where it is no answer of this kind.

    Booleans and yes/no in any case become True or False, choices become a capital letter,
    numbers one spelling (1,000.50 → 1000.5); mathematics and text keep their wording.
    """
    text = one_line(spelled(answer)) if isinstance(answer, str | bool | int | float) else ""
    if kind_of(question, kind) in ("math", "text"):
        return text or None
    return extract_strict(text, question, kind)


def extract_strict(line: str | None, question: Question, kind: AnswerKind) -> str | None:
    """The answer, where the whole answer line is an answer and nothing else; else None.

    True/False or yes/no; a letter among the options, alone, with dot or parentheses, or before
    its own option's text; a number with or without currency, percent sign and commas. A dot at the end, bold,
    quotes, dollar signs and a box around the whole are allowed. In mathematics and text anything can be an
    answer, so there any line is one.
    """
    return READERS[kind_of(question, kind)].strict(one_line(line or ""), question)


def extract_flexible(text: str, question: Question, kind: AnswerKind) -> str | None:
    """The answer that the whole text gives. Thoughts are not read, nor a next question that the text goes on to.

    What stands in its last box or between `<answer>` tags; what follows its last "answer is …" or "Answer:". Without
    such a mark: the last True/False/Yes/No that ends a clause; for the other kinds what `find_letter`,
    `find_number` and `find_math` find; for the text kind the last line.
    """
    return READERS[kind_of(question, kind)].flexible(own_part(text), question)


def outcome(extracted: str | None, gold: str, kind: AnswerKind) -> Outcome:
    """correct, incorrect, or no_answer where nothing was extracted."""
    if extracted is None:
        return "no_answer"
    return "correct" if EQUAL.get(kind, operator.eq)(gold, extracted) else "incorrect"
