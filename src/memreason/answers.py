"""Named answer extractors, and when two answers are equal. Needs no torch.

``strict`` reads the answer line and accepts nothing but an answer there; ``flexible`` looks through
the whole generated text. Both give a normalised answer, or None, which is *no answer*: that is not
the same as a wrong one. Neither ever takes a capital letter out of prose: "A dog" is not A.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from memreason.answers_math import clean, equal_math, find_math
from memreason.answers_number import first_number, last_number, whole_number_line
from memreason.records import Outcome, Question, one_line, spelled

if TYPE_CHECKING:
    from memreason.tasks import AnswerKind

_BOOLEANS = {"true": "True", "yes": "True", "false": "False", "no": "False"}
_TOKEN = re.compile(r"<[^<>\s]+_\d+>")
_PHRASE = re.compile(r"\banswer is\b:?[ \t]*", re.IGNORECASE)
_LETTER_LINE = re.compile(r"(?:\(([A-Za-z])\)|([A-Za-z])[.)]?)")
_LABELLED_OPTION = re.compile(r"(?:\(([A-Za-z])\)|([A-Za-z])[.):])\s*(.+)")

# After "answer is": the answer must come at once, and a letter must end there.
_SAID_BOOLEAN = re.compile(r"\W*(true|false|yes|no)\b", re.IGNORECASE)
_SAID_LETTER = re.compile(r"\W*(?:option |choice )?\W*([A-Z])(?=[^\w\s'’-]|\s*$)", re.IGNORECASE)

# Anywhere: True and False where a clause ends, Yes and No also only with their capital.
_LOOSE_BOOLEAN = re.compile(r"(?<!not )\b([Tt]rue|TRUE|[Ff]alse|FALSE|Yes|YES|No|NO)\b(?=\W*$|[.,;:!])", re.M)
# Anywhere: (B); or B. / B) / B and the line's end, but only where the line begins or after a word
# that announces an option, so that "vitamin C." and "Samuel L. Jackson" stay prose.
_LOOSE_LETTER = re.compile(
    r"\(([A-Z])\)|(?:^|[:=]|\b(?:is|option|choice|answer))[ \t*\"']*([A-Z])(?:[.)](?=\s|$)|[*\"']*[ \t]*$)",
    re.M,
)


def kind_of(question: Question, kind: AnswerKind) -> Literal["boolean", "choice", "math", "number", "text"]:
    """The kind of this one question: a mixed task has choices where there are options."""
    if kind == "mixed":
        return "choice" if question.options else "boolean"
    return kind


def option_letters(question: Question) -> str:
    """The letters that can be an answer: one an option, or all where the options are not known."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(question.options) or None]


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
    its own option's text; a number with or without currency, percent sign and commas. A dot at the end is allowed. In
    mathematics and text anything can be an answer, so there any line is one.
    """
    line = one_line(line or "")
    kind = kind_of(question, kind)
    if kind == "text":
        return _plain(line) or None
    if kind == "math":
        return clean(line) or None
    if kind == "boolean":
        return _BOOLEANS.get(_plain(line))
    if kind == "number":
        return whole_number_line(line)
    if match := _LETTER_LINE.fullmatch(line):
        return _known((match[1] or match[2]).upper(), question)
    if match := _LABELLED_OPTION.fullmatch(line):
        letter = _known((match[1] or match[2]).upper(), question)
        return letter if letter and letter == _option_named(match[3], question) else None
    return None


def extract_flexible(text: str, question: Question, kind: AnswerKind) -> str | None:
    """The answer that the whole text gives: what follows its last "answer is …", else what stands last.

    Without that phrase: the last True/False/Yes/No that ends a clause; an option's exact text as
    the last line, or the last option letter in parentheses, with a dot, or at a line's end; the last
    number; for mathematics what `find_math` finds; for the text kind the last line. A next "Question:"
    that the model went on to write is not read.
    """
    text = _TOKEN.sub("", text).split("\nQuestion:")[0]
    kind = kind_of(question, kind)
    if kind == "math":
        return find_math(text)
    for match in reversed(list(_PHRASE.finditer(text))):
        if said := _said(text[match.end() :].split("\n")[0], question, kind):
            return said
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if kind == "text":
        return _plain(lines[-1]) or None if lines else None
    if kind == "number":
        return last_number(text)
    if kind == "boolean":
        found = _LOOSE_BOOLEAN.findall(text)
        return _BOOLEANS[found[-1].lower()] if found else None
    if lines and (letter := _option_named(lines[-1], question)):
        return letter
    letters = [known for pair in _LOOSE_LETTER.findall(text) if (known := _known(pair[0] or pair[1], question))]
    return letters[-1] if letters else None


def outcome(extracted: str | None, gold: str, kind: AnswerKind) -> Outcome:
    """correct, incorrect, or no_answer where nothing was extracted."""
    if extracted is None:
        return "no_answer"
    if kind == "math":
        return "correct" if equal_math(gold, extracted) else "incorrect"
    same = _plain(extracted) == _plain(gold) if kind == "text" else extracted == gold
    return "correct" if same else "incorrect"


def _said(rest: str, question: Question, kind: AnswerKind) -> str | None:
    """The answer at the start of what follows "answer is"."""
    if kind == "text":
        return _plain(rest) or None
    if kind == "number":
        return first_number(rest)
    if kind == "boolean":
        match = _SAID_BOOLEAN.match(rest)
        return _BOOLEANS[match[1].lower()] if match else None
    if letter := _option_named(rest, question):
        return letter
    match = _SAID_LETTER.match(rest)
    return _known(match[1].upper(), question) if match else None


def _known(letter: str, question: Question) -> str | None:
    return letter if letter in option_letters(question) else None


def _option_named(text: str, question: Question) -> str | None:
    """The letter of the only option with exactly this text."""
    named = [i for i, option in enumerate(question.options) if _plain(option) == _plain(text)]
    return option_letters(question)[named[0]] if len(named) == 1 else None


def _plain(text: str) -> str:
    """For comparison: one line, no case, no closing dot, no commas inside numbers."""
    return re.sub(r"(?<=\d),(?=\d{3})", "", one_line(text).removesuffix(".").rstrip().casefold())
