"""Numbers as answers: reading a number, and one spelling for equal numbers. Needs no torch."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from memreason.answers.calculator import evaluate
from memreason.answers.latex import last_boxed
from memreason.answers.marks import LONGEST, after_hashes, announced, tagged, undecorated

_LONGEST = 40
"""Most digits of a number that is read: a model can write digits without end."""
_N = rf"\d{{1,{_LONGEST}}}"
_POWER = r"(?:[eE][+-]?\d{1,2}|\s*[×*]\s*10\s*\^\s*\{?[+-]?\d{1,2}\}?)"
_DECIMAL = rf"(?:\d{{1,3}}(?:,\d{{3}})+|{_N})(?:\.{_N})?|\.{_N}"
_NUMBER = rf"(?:{_N} {_N}/{_N}|{_N} ?/ ?{_N}|(?:{_DECIMAL}){_POWER}?)(?!\d|,\d)"
"""A mixed number, else a fraction, else an integer or decimal, with or without a power of ten."""
_CURRENCY = "[$€£¥₹]"
_LINE = re.compile(rf"{_CURRENCY}?\s*([-+]?)\s*{_CURRENCY}?\s*({_NUMBER})\s*(?:{_CURRENCY}|%|percent)?\s*\.?")
_ANYWHERE = re.compile(rf"(?:(?<![\w.)])(-))?(?<![\w.])(?<!\d,){_CURRENCY}?({_NUMBER})")

_TERM = rf"[-(]*{_CURRENCY}?{_NUMBER}[%)]*[a-z]?(?: [A-Za-z]+){{0,2}}"
_SUM = re.compile(
    rf"\s*(?:[A-Za-z]\w*(?: [A-Za-z]+){{0,3}}|{_TERM}(?:\s*(?:\*\*|[-+*/×÷x^]|times|plus|minus)\s*{_TERM})*)"
    rf"\s*=\s*(?={_CURRENCY}|[-(.\d])"
)
"""The left side of an equation, with its sign: 9 * 2 =, 9 eggs x $2 =, total =."""
_WHOLE_LINE = re.compile(
    rf"\W*?-?{_CURRENCY}?{_NUMBER}\s*%?(?:(?:\s+[^\W\d]+){{0,3}}\s*(?:\(.*|[.!]?\W*$|\b(?:because|since)\b.*)|\s*[,;:–—]\s.*)"
)
"""A line that begins with the answer: 18 dollars; 18 (9 eggs x $2); 18, since …; but not "3 eggs are left, so …"."""

_SIGN_APART = re.compile(rf"^\s*(?:-|minus|negative)\s+(?={_CURRENCY}?\d)", re.IGNORECASE)
_UNSUMMED = re.compile(
    rf"[-(]*{_CURRENCY}?(?:{_DECIMAL})\)*(?:(?:\s*[*×÷+]\s*|\s+-\s+)[-(]*{_CURRENCY}?(?:{_DECIMAL})\)*)+(?=\W*$)"
)
_SEVERAL = re.compile(
    rf"\W*?-?{_CURRENCY}?{_NUMBER}\s*(?:,?\s*\bor\b\s*-?{_CURRENCY}?{_NUMBER}|,\s+-?{_CURRENCY}?{_NUMBER}(?=\W*$))"
)
"""Two numbers ("5 or 6"), which are no answer."""
_LINE_BEGINS = re.compile(rf"\W*?-?{_CURRENCY}?{_NUMBER}(?P<heading>[.:)]\s+[^\W\d])?")

_SIGNS = str.maketrans(dict.fromkeys("−–‐‑‒﹣－", "-") | {"·": "*", "∗": "*", "⁄": "/"})
_VULGAR = re.compile("([0-9]?) ?([¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])")
_LATEX = (
    (re.compile(r"\\!|\{,\}(?=\d{3})|(?<=\d)\\,(?=\d{3})|(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))|\\(?=[$%])"), ""),
    (re.compile(r"\\times\b|\\cdot\b|×"), "×"),
    (re.compile(r"(?<=\d)(?=\\[dtc]?frac)"), " "),
    (re.compile(r"\\[dtc]?frac\s*(?:\{\s*(\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))"),
     lambda match: f"{match[1] or match[2]}/{match[3] or match[4]} "),
    (re.compile(r"\\(?:text|mathrm|mbox|textbf|mathbf)\s*\{([^{}]*)\}"), r" \1"),
    (re.compile(r"[ \t]+"), " "),
)  # fmt: skip


def whole_number_line(line: str) -> str | None:
    """The number, where ``line`` is only a number with its sign, currency, percent sign or final dot; else None.

    50% is read as 50: in GSM8K, the answer to "what percentage" is 50.
    """
    match = _LINE.fullmatch(_plain(undecorated(line)).strip())
    return _read(match[1], match[2]) if match else None


def find_number(text: str) -> str | None:
    """The number that a text gives: after its last ####, in its last box or tag, after "answer is", else its last one.

    If an equation is there, its right side counts. Two numbers, "5 or 6", are no answer. A line that begins with ####
    or "Answer:" counts only if its number comes at once, and if it is not a heading or the start of a solution.
    """
    for line in after_hashes(text):
        line = re.sub(r"^\W*(?:(?:the|my|final|answer|is)\b[\s:]*)*", "", line) if line[:1].isalpha() else line
        begun = _LINE_BEGINS.match(_right_side(_plain(line)))
        if begun and not begun["heading"] and (number := first_number(line)):
            return number
    marks, lines = [mark for mark in (last_boxed(text), tagged(text)) if mark], list(announced(text))
    if _SEVERAL.match(_plain(next(iter([*marks, *(line.rest for line in lines)]), ""))):
        return None
    for marked in marks:
        if number := first_number(marked):
            return number
    for rest, sure, _ in lines:
        if (sure or _begins(rest)) and (number := first_number(rest)):
            return number
    return last_number(text)


def _begins(line: str) -> bool:
    return bool(_WHOLE_LINE.match(_right_side(_plain(line))))


def first_number(text: str) -> str | None:
    """The first number in a text, with or without units and words around it.

    If the text begins with an equation, this is the number after its last =; if it is a sum such as 2 + 3, its value.
    """
    text = _right_side(_plain(text[:LONGEST]))
    unsummed = _UNSUMMED.match(text.strip())
    value = evaluate(unsummed[0]) if unsummed else None
    return spell(value) if value is not None else next(iter(_numbers(text)), None)


def last_number(text: str) -> str | None:
    """The last number in a text; "48/2" is one number, and so is "1 1/2"."""
    return next(reversed(_numbers(_plain(text))), None)


def _right_side(text: str) -> str:
    while match := _SUM.match(text):
        text = text[match.end() :]
    return _SIGN_APART.sub("-", text)


def _plain(text: str) -> str:
    """``text`` in signs of a keyboard: for a typographic minus, `½`, `\\frac{1}{2}`, `1{,}000` and `\\$`."""
    text = _VULGAR.sub(lambda sign: (sign[1] and f"{sign[1]} ") + unicodedata.normalize("NFKC", sign[2]), text)
    text = text.translate(_SIGNS)
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)  # type: ignore[arg-type]
    return text


def _numbers(text: str) -> list[str]:
    return [number for sign, digits in _ANYWHERE.findall(text) if (number := _read(sign, digits))]


def _read(sign: str, digits: str) -> str | None:
    """The one spelling (`spell`) of a number as it is written; None for n/0."""
    digits, _, power = re.sub(r"\s*[×*]\s*10\s*\^\s*\{?|[eE]", "e", digits).rstrip("}").partition("e")
    whole, _, rest = digits.rpartition(" ") if re.fullmatch(r"\d+ \d+/\d+", digits) else ("0", "", digits)
    try:
        value = (Fraction(whole) + Fraction(re.sub("[, ]", "", rest))) * Fraction(10) ** int(power or 0)
    except ZeroDivisionError:
        return None
    return spell(-value if sign == "-" else value)


def spell(value: Fraction) -> str:
    """The one spelling of a number: an integer, else a decimal if it ends within 40 places, else a fraction n/d."""
    places = next((n for n in range(_LONGEST + 1) if 10**n % value.denominator == 0), None)
    if places is None:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
