"""Answers in LaTeX: finding one in a text, and whether two are the same mathematics. Needs no torch.

Equality is math-verify's, by way of sympy, after `_normalise` has mended what that library
reads wrongly. Units are not compared; a percent sign and a degree sign count as units.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from memreason.answers_number import first_number, last_number
from memreason.latex import closing_brace, last_boxed
from memreason.math_worker import MathWorker
from memreason.records import one_line

LONGEST = 400
"""Characters of the longest answer that is read as mathematics; longer ones are compared as text."""

_FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<!\\)\$((?:\\.|[^\\$])+)\$|\\\[(.+?)\\\]|\\\((.+?)\\\)")
_WORDING = re.compile(r"\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathbf|mbox)\s*(?=\{)")
_NO_SPACE = re.compile(r"\\!\s*|(?<=\d)(?:\{,\}|\\,)(?=\d{3})|\\\$")
_SPACE = re.compile(r"(?<!\\)\\[,;:> ]|~|\\q?quad\b")
_NAMES = re.compile(r"\\(?:begin|end)\{\w+\*?\}")
_WORD = re.compile(
    r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|cot|sec|csc|arc\w+|log|exp|min|max|gcd|lcm|mod|and)\b)[A-Za-z]{3,}"
)
_UNIT = re.compile(
    r"(?<=[\w})])\s*\\(?:text|mathrm|mbox)\s*\{[^{}]*\}(?:\s*\^\s*\{?[23]\}?)?$"
    r"|(?<=[\d})])(?:\s*(?:[cmk]?m|k?g|ft|in|lb|oz|hr|mph)|\s+[A-Za-z]{3,}(?:\s+[A-Za-z]{3,}){0,3})\.?"
    r"(?:\s*\^\s*\{?[23]\}?)?$"
)
_CLOCK = re.compile(r"\d[^\w\\]*[ap]\.?m\b", re.IGNORECASE)
_PERCENT = re.compile(r"\s*(?:\\?%|percent)(?=\W*$)")
_REPEATING = re.compile(r"(\d{0,20})\.(\d{0,20})\\overline\s*\{(\d{1,20})\}")
_MIXED = re.compile(r"(?<![\d/.])(\d+)\s+(\d+)\s*/\s*(\d+)(?!\d)")
_DEGREES = r"\^\s*\{?\s*\\circ\s*\}?"
_SINE_OF_DEGREES = re.compile(rf"(\\(?:sin|cos|tan|cot|sec|csc))\s*[({{]?\s*(\d+)\s*{_DEGREES}\s*[)}}]?")
_BASED = re.compile(r"([0-9A-F]+)_\{?(\d+)\}?")


def find_math(text: str) -> str | None:
    """The answer that a text gives: its last box, else what follows its last "answer is", else its last formula.

    A sentence after "answer is" gives its first formula or number. Where there is no formula
    either, the last number counts.
    """
    if boxed := last_boxed(text):
        return clean(boxed)
    for rest in reversed(re.findall(r"\banswer is\b:?[ \t]*([^\n]*)", text, re.IGNORECASE)):
        if not rest.strip():
            continue
        formulas = _formulas(rest)
        if formulas or not _is_wording(_UNIT.sub("", clean(rest))):
            return clean(formulas[0] if formulas else rest)
        return first_number(rest) or clean(rest)
    formulas = _formulas(text)
    return clean(formulas[-1]) if formulas else last_number(text)


def _formulas(text: str) -> list[str]:
    return [next(filter(None, groups)) for groups in _FORMULA.findall(text)]


def clean(answer: str) -> str:
    """The answer without what does not belong to it: dollar signs, a box, a full stop, line breaks."""
    answer = one_line(answer)
    for _ in range(3):  # "$\boxed{$5$}.$"
        answer = answer.strip().removesuffix(".").strip()
        if match := _FORMULA.fullmatch(answer):
            answer = next(filter(None, match.groups()))
        if answer.startswith((r"\boxed", r"\fbox")):
            answer = last_boxed(answer) or answer
    return answer.strip()


def _normalise(answer: str) -> str:
    r"""In a form that math-verify reads rightly, without units.

    `3 1/2` → `3\frac{1}{2}`; `0.1\overline{6}` → `\frac{1}{6}`; `\sin 30^\circ` → in radians;
    `50\%` → `50`; `\varnothing` → `\emptyset`; `5 dollars` → `5`; `5\text{ cm}` → `5`.
    """
    text = (
        _SPACE.sub(" ", _NO_SPACE.sub("", clean(answer))).replace(r"\varnothing", r"\emptyset").replace("°", r"^\circ")
    )
    text = _SINE_OF_DEGREES.sub(r"\1{\\frac{\2\\pi}{180}}", text)
    text = _MIXED.sub(r"\1\\frac{\2}{\3}", _REPEATING.sub(_exact, text))
    text = one_line(_PERCENT.sub("", text))
    if based := _BASED.fullmatch(text):
        return f"{based[1]}_{based[2]}"
    return text if _CLOCK.search(_wording(text)) else one_line(_UNIT.sub("", text))


def _exact(decimal: re.Match[str]) -> str:
    whole, fixed, period = decimal[1] or "0", decimal[2], decimal[3]
    value = Fraction(int(whole + fixed + period) - int(whole + fixed), (10 ** len(period) - 1) * 10 ** len(fixed))
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _wording(answer: str) -> str:
    r"""For comparison as text: `\text{(B)}` → `B`; without case where there is a word."""
    text = clean(answer)
    while match := _WORDING.search(text):
        end = closing_brace(text, match.end())
        text = text[: match.start()] + " " + text[match.end() :] if end is None else (
            text[: match.start()] + text[match.end() + 1 : end] + text[end + 1 :]
        )  # fmt: skip
    text = re.sub(r"^\(([A-Za-z])\)$", r"\1", one_line(text).removesuffix("."))
    text = re.sub(r"\s+(?=\W)|(?<=\W)\s+", "", text)
    return text.casefold() if _WORD.search(text) else text


def _is_wording(text: str) -> bool:
    """Whether it is, or holds, words or a time of day, so that it is not to be read as a formula."""
    text = _NAMES.sub("", _wording(text))
    return bool(_WORD.search(text) or _CLOCK.search(text))


@lru_cache(maxsize=4096)
def equal_math(gold: str, answer: str) -> bool:
    """Whether an answer is the same mathematics as the gold one.

    Words are compared as words, numbers with a base (1011_2) as written, all else as mathematics:
    decimals to six places, sets in any order, tuples and intervals in theirs. An answer that takes
    longer than `MathWorker.LIMIT` seconds, or that cannot be read, is not equal. Works in any
    thread. Raises UserError where math-verify is not installed.
    """
    words = _wording(gold), _wording(answer)
    if words[0] == words[1]:
        return True
    if len(words[0]) == len(words[1]) == 1:  # "B" and "b"
        return False
    if max(len(gold), len(answer)) > LONGEST:
        return False
    gold, answer = _normalise(gold), _normalise(answer)
    if gold == answer or not answer:
        return gold == answer
    if any(_is_wording(text) or _BASED.fullmatch(text) for text in (gold, answer)):
        return False
    return _WORKER.equal(gold, answer)


_WORKER = MathWorker()
