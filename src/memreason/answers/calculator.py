"""The calculator for GSM8K's marks: in `<<48/2=24>>` it computes the result after `=`. Needs no torch.

Python's `eval` is never used. A small recursive parser reads numbers (with commas between thousands, a
percent sign or a currency sign), + - * / // and parentheses, and computes exactly, with fractions.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

LONGEST = 100
"""Most characters of an expression that is computed."""
PLACES = 8
"""Most decimal places of a result; more are rounded."""

_LEXEME = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+\.?\d*|\.\d+)|(?P<sign>//|[-+*/()%]))", re.ASCII
)
_SPELLED = str.maketrans({"×": "*", "x": "*", "X": "*", "÷": "/", "−": "-", "–": "-", "$": None, "€": None, "£": None})
_MARK = re.compile(r"<<([^<>]*?)=([^<>=]*)>>")


class Mark(NamedTuple):
    """One calculator mark: its expression, the result as written, and whether that is right (None where the expression
    cannot be computed)."""

    expression: str
    written: str
    true: bool | None


def check_marks(text: str) -> list[Mark]:
    """The calculator marks in the text of a step, each with a judgement of its result.

    A result that is written with decimals may be rounded to their number.
    """
    return [Mark(expression, written, _agrees(expression, written)) for expression, written in _MARK.findall(text)]


def _agrees(expression: str, written: str) -> bool | None:
    value, result = evaluate(expression), evaluate(written)
    if value is None:
        return None
    if result is None:
        return False
    places = len(written.strip().rpartition(".")[2]) if "." in written else 0
    return value == result or (places > 0 and abs(value - result) <= Fraction(1, 2 * 10**places))


def calculate(expression: str) -> str | None:
    """The result of an expression as GSM8K writes it: 24, 0.5, -3; None where it cannot be computed."""
    value = evaluate(expression)
    return None if value is None else spell_result(value)


def spell_result(value: Fraction) -> str:
    """A number rounded to at most `PLACES` decimal places, without zeros at the end."""
    scaled = round(value * 10**PLACES)
    digits = str(abs(scaled)).rjust(PLACES + 1, "0")
    whole, decimals = digits[:-PLACES], digits[-PLACES:].rstrip("0")
    return ("-" if scaled < 0 else "") + whole + (f".{decimals}" if decimals else "")


def evaluate(expression: str) -> Fraction | None:
    """The exact value of an expression; None where it is too long, is not an expression, or divides by zero."""
    if len(expression) > LONGEST:
        return None
    text = expression.translate(_SPELLED).strip()
    lexemes: list[str] = []
    position = 0
    while position < len(text):
        match = _LEXEME.match(text, position)
        if match is None:
            return None
        lexemes.append(match["number"] or match["sign"])
        position = match.end()
    parser = _Parser(lexemes)
    try:
        value = parser.sum()
    except (IndexError, ValueError, ZeroDivisionError):
        return None
    return value if parser.at_end else None


class _Parser:
    """A recursive parser. A sum has terms; a term has factors; a factor is signs, a number or (sum), percent signs."""

    def __init__(self, lexemes: list[str]) -> None:
        self._lexemes = lexemes
        self._next = 0

    @property
    def at_end(self) -> bool:
        return self._next == len(self._lexemes)

    def _take(self, *wanted: str) -> str | None:
        if self.at_end or self._lexemes[self._next] not in wanted:
            return None
        self._next += 1
        return self._lexemes[self._next - 1]

    def sum(self) -> Fraction:
        value = self._term()
        while sign := self._take("+", "-"):
            value = value + self._term() if sign == "+" else value - self._term()
        return value

    def _term(self) -> Fraction:
        value = self._factor()
        while sign := self._take("*", "/", "//"):
            other = self._factor()
            value = value * other if sign == "*" else value / other if sign == "/" else Fraction(value // other)
        return value

    def _factor(self) -> Fraction:
        if sign := self._take("+", "-"):
            return self._factor() if sign == "+" else -self._factor()
        value = self._atom()
        while self._take("%"):
            value /= 100
        return value

    def _atom(self) -> Fraction:
        if self._take("("):
            value = self.sum()
            if not self._take(")"):
                raise ValueError("a parenthesis is not closed")
            return value
        number = self._lexemes[self._next]  # IndexError: the expression ends too early
        self._next += 1
        return Fraction(number.replace(",", ""))  # ValueError: it is a sign
