"""Named answer extractors, and when two answers are equal. Needs no torch.

``strict`` reads the answer line and accepts nothing but an answer there; ``flexible`` looks through
the whole generated text. Both give a normalised answer, or None, which is *no answer*: that is not
the same as a wrong one. Neither ever takes a capital letter out of prose: "A dog" is not A.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from memreason.answers.choice import find_letter, option_letters, plain, whole_letter_line
from memreason.answers.latex import last_boxed
from memreason.answers.marks import announced, own_part, tagged, undecorated
from memreason.answers.math import clean, equal_math, find_math
from memreason.answers.number import find_number, whole_number_line
from memreason.records import Outcome, Question, one_line, spelled

if TYPE_CHECKING:
    from memreason.records import AnswerKind

__all__ = ["extract_flexible", "extract_strict", "kind_of", "normalise_gold", "option_letters", "outcome"]

_BOOLEANS = {"true": "True", "yes": "True", "false": "False", "no": "False"}
_ADVERBS = (
    r"(?:(?:(?:there is )?no (?:doubt|question)(?: about it)?|without (?:a |any )?doubt|of course|definitely|certainly|"
    r"clearly|absolutely|obviously|indeed|probably|(?:most )?likely|simply|surely|a|an|well)\b\W*)*"
)
# "No" is a word of its own only where its clause ends or a new one begins: no doubt, no one, no evidence are none.
_WORD = (
    r"(?:(true|false|yes)\b(?!\W*(?:and|or|/|&)\W*(?:true|false|yes|no)\b)(?!-\w)"
    r"|(no)\b(?!\W*(?:and|or|/|&)\W*yes\b)(?!-\w)(?!\.\s?\d)(?=\W*$|\s?[^\w\s]|\s+(?:because|since|as|it|he|she|they|this|that|there|the|we|you|but|so)\b))"
)
_SAID_BOOLEAN = re.compile(rf"\W*{_ADVERBS}{_WORD}", re.IGNORECASE)
_DRESS = re.compile(r"[*_$`\"“”]|\\(?:text|textbf|mathrm|boxed|fbox)\s*\{|[{}]")

_ALTERNATIVES = re.compile(r"\b(?:true|false|yes|no)\W*(?:and|n?or|/|&)\W*(?:true|false|yes|no)\b", re.IGNORECASE)

# Anywhere: True and False where a clause ends, Yes and No also only with their capital.
_LOOSE_BOOLEAN = re.compile(
    r"\b([Tt]rue|TRUE|[Ff]alse|FALSE|Yes|YES|No|NO)\b(?!/\w)(?!\.\s?\d)(?=\W*$|[.,;:!)]|\s[–—-]\s)", re.M
)
_DENIED = re.compile(
    r"(?:\b(?:not|cannot|no longer|never|hardly|scarcely|neither|nor|far from|anything but|less than)|n['’]t)"
    r"(?:\s+(?:be|been|a|an|the|entirely|quite|really|actually|necessarily|at all|strictly|simply|always))*\s+$",
    re.IGNORECASE,
)


def kind_of(question: Question, kind: AnswerKind) -> Literal["boolean", "choice", "math", "number", "text"]:
    """The kind of this one question: a mixed task has choices where there are options."""
    if kind == "mixed":
        return "choice" if question.options else "boolean"
    return kind


def normalise_gold(answer: object, question: Question, kind: AnswerKind) -> str | None:
    """The gold answer as it is trained on and compared with, or None where it is none of its kind.

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
    line = one_line(line or "")
    kind = kind_of(question, kind)
    if kind == "text":
        return plain(line) or None
    if kind == "math":
        return clean(line) or None
    if kind == "boolean":
        return _BOOLEANS.get(plain(undecorated(line)))
    return whole_number_line(line) if kind == "number" else whole_letter_line(line, question)


def extract_flexible(text: str, question: Question, kind: AnswerKind) -> str | None:
    """The answer that the whole text gives, thoughts and a next question that it goes on to left out.

    What stands in its last box or between `<answer>` tags; what follows its last "answer is …" or "Answer:". Without
    such a mark: the last True/False/Yes/No that ends a clause; for the other kinds what `find_letter`,
    `find_number` and `find_math` find; for the text kind the last line.
    """
    text = own_part(text)
    kind = kind_of(question, kind)
    if kind == "math":
        return find_math(text)
    if kind == "number":
        return find_number(text)
    if kind == "choice":
        return find_letter(text, question)
    return _find_boolean(text) if kind == "boolean" else _find_text(text)


def outcome(extracted: str | None, gold: str, kind: AnswerKind) -> Outcome:
    """correct, incorrect, or no_answer where nothing was extracted."""
    if extracted is None:
        return "no_answer"
    if kind == "math":
        return "correct" if equal_math(gold, extracted) else "incorrect"
    same = plain(extracted) == plain(gold) if kind == "text" else extracted == gold
    return "correct" if same else "incorrect"


def _find_boolean(text: str) -> str | None:
    marks = [mark for mark in (last_boxed(text), tagged(text)) if mark]
    for said in (*marks, *(rest for rest, _, _ in announced(text))):
        if match := _SAID_BOOLEAN.match(_DRESS.sub("", said)):
            return _BOOLEANS[_word(match)]
    bare = _DRESS.sub("", text)
    said = _ALTERNATIVES.sub("", bare)
    found = [match[1] for match in _LOOSE_BOOLEAN.finditer(said) if not _DENIED.search(said[: match.start()][-40:])]
    if found:
        return _BOOLEANS[found[-1].lower()]
    last = bare.rstrip().rpartition("\n")[2]
    match = _SAID_BOOLEAN.match(last)
    return _BOOLEANS[_word(match)] if match and _word(match) in ("yes", "no") else None


def _word(match: re.Match[str]) -> str:
    return (match[1] or match[2]).lower()


def _find_text(text: str) -> str | None:
    marks = [
        last_boxed(text),
        tagged(text),
        *(rest for rest, _, _ in announced(text)),
        text.strip().rpartition("\n")[2],
    ]
    return plain(next(filter(None, marks), "")) or None
