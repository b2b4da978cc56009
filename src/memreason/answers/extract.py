"""The two answer extractors, and comparing two answers. Needs no torch.

``strict`` reads only the answer line, and accepts only an answer there; ``flexible`` searches the whole generated
text. Both return a normalised answer, or None for *no answer*, which is not the same as a wrong answer. Neither takes
a capital letter of ordinary prose for an answer: "A dog" is not A.

`READERS` holds both extractors for each kind of answer. Each kind has a file of its own: `boolean`, `choice`, `number`,
`text`, and the folder `mathematics/`. All of them look for answers where `marks` finds them announced, and skip the
thoughts of reasoning models (`thoughts`).
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
    """The two extractors for one kind of answer: ``strict`` reads an answer line, ``flexible`` a whole text."""

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
"""Kind → a function of (gold, extracted) that says whether they are equal, for kinds in which an answer has more than
one spelling."""


def kind_of(question: Question, kind: AnswerKind) -> Kind:
    """The kind of this question's answer. In a mixed task it is choice where the question has options, else boolean."""
    if kind == "mixed":
        return "choice" if question.options else "boolean"
    return kind


def normalise_gold(answer: object, question: Question, kind: AnswerKind) -> str | None:
    """The gold answer in the form that is used in training and comparison; None where it is no answer of this kind.

    Booleans and yes/no in any case become True or False, choices become a capital letter, and numbers get one
    spelling (1,000.50 → 1000.5). Mathematics and text keep their wording.
    """
    text = one_line(spelled(answer)) if isinstance(answer, str | bool | int | float) else ""
    if kind_of(question, kind) in ("math", "text"):
        return text or None
    return extract_strict(text, question, kind)


def extract_strict(line: str | None, question: Question, kind: AnswerKind) -> str | None:
    """The answer, where the whole answer line is an answer and nothing else; else None.

    It may be True/False or yes/no; the letter of an option, alone, with a dot or parentheses, or before its own
    option's text; a number with or without currency, percent sign and commas. A dot at the end, and bold, quotes,
    dollar signs or a box around the whole are allowed. In mathematics and text, any line is an answer.
    """
    return READERS[kind_of(question, kind)].strict(one_line(line or ""), question)


def extract_flexible(text: str, question: Question, kind: AnswerKind) -> str | None:
    """The answer that the whole text gives, without its thoughts, and without a next question that it continues with.

    The answer is in the last box, between `<answer>` tags, or after the last "answer is …" or "Answer:". Without such a
    mark, it is the last True/False/Yes/No that ends a clause; the last line, for the kind text; and for the other
    kinds, what `find_letter`, `find_number` and `find_math` return.
    """
    return READERS[kind_of(question, kind)].flexible(own_part(text), question)


def outcome(extracted: str | None, gold: str, kind: AnswerKind) -> Outcome:
    """Compare an extracted answer with the gold answer: correct, incorrect, or no_answer where it is None."""
    if extracted is None:
        return "no_answer"
    return "correct" if EQUAL.get(kind, operator.eq)(gold, extracted) else "incorrect"
