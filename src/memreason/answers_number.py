"""Numbers as answers: reading one, in one spelling for equal numbers. Needs no torch."""

from __future__ import annotations

import re
from fractions import Fraction

_LONGEST = 40
"""Digits of the longest number that is read: a model can write digits without end."""
_N = rf"\d{{1,{_LONGEST}}}"
_DECIMAL = rf"(?:\d{{1,3}}(?:,\d{{3}})+|{_N})(?:\.{_N})?|\.{_N}"
_NUMBER = rf"(?:{_N} {_N}/{_N}|{_N} ?/ ?{_N}|{_DECIMAL})(?!\d)"
"""A mixed number, else a fraction, else an integer or decimal."""
_CURRENCY = "[$€£¥₹]"
_LINE = re.compile(rf"{_CURRENCY}?\s*([-+−]?)\s*{_CURRENCY}?\s*({_NUMBER})\s*(?:{_CURRENCY}|\\?%|percent)?\s*\.?")
_ANYWHERE = re.compile(rf"(?:(?<![\w.)])([-−]))?(?<![\w.]){_CURRENCY}?({_NUMBER})")


def whole_number_line(line: str) -> str | None:
    """The number, where ``line`` is a number and nothing else but its sign, currency, percent sign or final dot.

    A percent sign carries no factor: in GSM8K's questions "what percentage" is answered by 50.
    """
    match = _LINE.fullmatch(line.strip().strip("*").strip())
    return _read(match[1], match[2]) if match else None


def first_number(text: str) -> str | None:
    """The first number in a text, units and words around it or not."""
    return next(iter(_numbers(text)), None)


def last_number(text: str) -> str | None:
    """The last number in a text; "48/2" is one number, and so is "1 1/2"."""
    return next(reversed(_numbers(text)), None)


def _numbers(text: str) -> list[str]:
    return [number for sign, digits in _ANYWHERE.findall(text) if (number := _read(sign, digits))]


def _read(sign: str, digits: str) -> str | None:
    """`spell` of a number as written; None for n/0."""
    whole, _, rest = digits.rpartition(" ") if re.fullmatch(r"\d+ \d+/\d+", digits) else ("0", "", digits)
    try:
        value = Fraction(whole) + Fraction(re.sub("[, ]", "", rest))
    except ZeroDivisionError:
        return None
    return spell(-value if sign in ("-", "−") else value)


def spell(value: Fraction) -> str:
    """The one spelling of a number: an integer, else a decimal where it ends (within 40 places), else n/d."""
    places = next((n for n in range(_LONGEST + 1) if 10**n % value.denominator == 0), None)
    if places is None:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
