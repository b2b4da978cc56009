"""Whether two answers in LaTeX are the same mathematics. Needs no torch.

`_normalise` first rewrites what math-verify would read wrongly; then `program` compares the answers with math-verify
and sympy. An answer may leave out its unit, but two different units are not equal. A percent sign and a degree sign
count as units.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from memreason.answers.latex import closing_brace, last_boxed
from memreason.answers.marks import undecorated
from memreason.answers.mathematics.notation import power_of_ten, to_latex
from memreason.answers.mathematics.units import Measure, conflict, measure
from memreason.answers.mathematics.worker import MathWorker
from memreason.records import one_line

LONGEST = 400
"""Most characters of an answer that is read as mathematics; longer ones are compared as text."""

FORMULA = re.compile(
    r"\$\$((?:(?!\$\$).)+)\$\$|(?<!\\)\$((?:\\.|[^\\$])+)\$"
    r"|\\\[((?:(?!\\[\[\]]).)+)\\\]|\\\(((?:(?!\\[()]).)+)\\\)"
)
_WORDING = re.compile(r"\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathbf|mbox)\s*(?=\{)")
_NO_SPACE = re.compile(r"\\!\s*|(?<=\d)(?:\{,\}|\\,)(?=\d{3})|\\\$")
_NO_SPACE_BUT_MONEY = re.compile(r"\\!\s*|(?<=\d)(?:\{,\}|\\,)(?=\d{3})")
_UPRIGHT = re.compile(r"\\(?:text|textbf|textrm|textnormal|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_PRIME = re.compile(r"(?<=[A-Za-z})'])\s*\^?\{?(?:'(?='*))")
_FEET_AND_INCHES = re.compile(r"\d\s*['′]\s*\d")
_SPACE = re.compile(r"(?<!\\)\\[,;:> ]|~|\\q?quad\b|(?<!\\)\\$")
_NAMES = re.compile(r"\\(?:begin|end)\{\w+\*?\}")
_WORD = re.compile(
    r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|cot|sec|csc|arc\w+|log|exp|min|max|gcd|lcm|mod|and)\b)[A-Za-z]{3,}"
)
_SQUARED = r"(?:\s*\^\s*\{?[23]\}?)?"
_NOT_A_COUNT = r"(?!\W*(?:half|dozen|hundred|thousand|[mbtz]illion)s?\b)"
UNIT = re.compile(
    rf"(?<=[\w}})])\s*\\(?:text|mathrm|mbox)\s*\{{{_NOT_A_COUNT}[^{{}}]*\}}{_SQUARED}$"
    rf"|(?:(?<=[\d}})])|(?<=\\pi))\s+{_NOT_A_COUNT}[A-Za-z]{{3,}}(?:\s+{_NOT_A_COUNT}[A-Za-z]{{3,}}){{0,3}}\.?{_SQUARED}$"
)
"""A unit that cannot be mistaken for variables: ``\\text{…}``, or words after a number. "Million" is not a unit."""
_NUMBER = r"((?:[^A-Za-z\\]|\\[A-Za-z]{2,})*(?:[\d})]|\\pi))"
_SHORT = r"(?:[cmk]?m|k?g|ft|in|lb|oz|hr|mph)"
_SHORT_UNIT = re.compile(rf"{_NUMBER}\s+(?:(?:sq|cu)\.?\s+)?{_SHORT}\.?{_SQUARED}")
_GLUED_UNIT = re.compile(rf"{_NUMBER}({_SHORT})\.?{_SQUARED}")
"""Letters directly after a number: 5m may be five metres or five times m. After a space, letters are a unit."""
_CLOCK = re.compile(r"\d[^\w\\]*[ap]\.?m\b", re.IGNORECASE)
_PERCENT = re.compile(r"\s*(?:\\?%|percent)(?=\W*$)")
_REPEATING = re.compile(r"(\d{0,20})\.(\d{0,20})\\overline\s*\{(\d{1,20})\}")
_MIXED = re.compile(r"(?<![\d/.])(\d+)\s+(\d+)\s*/\s*(\d+)(?!\d)")
_DEGREES = r"\^\s*\{?\s*\\circ\s*\}?"
_SINE_OF_DEGREES = re.compile(rf"(\\(?:sin|cos|tan|cot|sec|csc))\s*[({{]?\s*(\d+)\s*{_DEGREES}\s*[)}}]?")
_AMBIGUOUS_POWER = re.compile(r"-?\d+e-?\d{1,3}")
_BASED = re.compile(r"([0-9A-F]+)_\{?(\d+)\}?")


def clean(answer: str) -> str:
    """The answer without dollar signs, bold or a box around it, and without line breaks and a final full stop."""
    answer = one_line(answer)
    for _ in range(3):  # "$\boxed{$5$}.$"
        answer = answer.strip().removesuffix(".").strip()
        if answer.startswith(("*", "_", "`")) or answer.endswith("**"):
            answer = undecorated(answer)
        if match := FORMULA.fullmatch(answer):
            answer = next(filter(None, match.groups()))
        if answer.startswith((r"\boxed", r"\fbox")):
            answer = last_boxed(answer) or answer
    return answer.strip()


def _normalise(answer: str) -> str:
    r"""The answer in a form that math-verify reads correctly, and without units.

    `2√3` → `2\sqrt{3}`; `3 1/2` → `3\frac{1}{2}`; `0.1\overline{6}` → `\frac{1}{6}`; `\sin 30^\circ` → in radians;
    `50\%` → `50`; `\varnothing` → `\emptyset`; `5 dollars` → `5`; `5\text{ cm}` → `5`; `5 m` → `5`, but not `5m`.
    """
    text = _SPACE.sub(" ", _NO_SPACE.sub("", clean(answer)))
    text = to_latex(re.sub(r"(?<!\\)\$", " ", text)).replace(r"\varnothing", r"\emptyset").replace("°", r"^\circ")
    text = re.sub(r"\\\{\s*\\\}", r"\\emptyset", text)
    text = _SINE_OF_DEGREES.sub(r"\1{\\frac{\2\\pi}{180}}", text)
    text = _MIXED.sub(r"\1\\frac{\2}{\3}", _REPEATING.sub(_exact, text))
    text = one_line(_PERCENT.sub("", text))
    if based := _BASED.fullmatch(text):
        return f"{based[1]}_{based[2]}"
    if _CLOCK.search(_wording(text)):
        return text
    text = one_line(UNIT.sub("", text))
    short = _SHORT_UNIT.fullmatch(text)
    return short[1].strip() if short else text


def _without_glued_unit(text: str, other: str, *, is_answer: bool) -> str:
    """``text`` without a unit directly after its number: `5cm` → `5`.

    A unit of two letters or more is removed from an answer (``is_answer``). Any unit is removed where ``other`` has
    the same one, as in `5\\text{ m}`: then `5m` is five metres.
    """
    match = _GLUED_UNIT.fullmatch(text)
    if not match:
        return text
    set_off = rf"(?:\\(?:text|mathrm|mbox)\s*\{{\s*|[\d}})]\s+){match[2]}\b"
    certain = (is_answer and len(match[2]) > 1) or _measure(other).unit == match[2] or re.search(set_off, other)
    return match[1] if certain else text


def _exact(decimal: re.Match[str]) -> str:
    whole, fixed, period = decimal[1] or "0", decimal[2], decimal[3]
    value = Fraction(int(whole + fixed + period) - int(whole + fixed), (10 ** len(period) - 1) * 10 ** len(fixed))
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _wording(answer: str) -> str:
    r"""The answer for comparison as text: `\text{(B)}` → `B`. If it holds a word, case does not matter."""
    text = clean(answer)
    kept, at = [], 0
    for match in _WORDING.finditer(text):
        end = closing_brace(text, match.end()) if match.start() >= at and len(text) <= LONGEST else None
        if end is not None:
            kept += [text[at : match.start()], text[match.end() + 1 : end]]
            at = end + 1
    text = "".join([*kept, text[at:]])
    text = re.sub(r"^\(([A-Za-z])\)$", r"\1", one_line(text).removesuffix("."))
    text = re.sub(r"\s+(?=\W)|(?<=\W)\s+", "", text)
    return text.casefold() if _WORD.search(text) else text


def _measure(answer: str) -> Measure:
    """The unit at the end of an answer."""
    text = _SPACE.sub(" ", _NO_SPACE_BUT_MONEY.sub("", clean(answer)))
    return measure(_UPRIGHT.sub(r" \1 ", text))


def _primes(answer: str) -> int:
    """The number of primes on the right side of an answer: x' is not x, but the parser reads both as x.

    The sign for feet, as in 5', does not count.
    """
    return len(_PRIME.findall(answer.rpartition("=")[2].replace("\\prime", "'").replace("′", "'").replace("″", "''")))


def is_wording(text: str) -> bool:
    """Whether ``text`` holds words, a time of day, or feet and inches, so that it must not be read as a formula."""
    text = _NAMES.sub("", _wording(text))
    return bool(_WORD.search(text) or _CLOCK.search(text) or _FEET_AND_INCHES.search(text))


@lru_cache(maxsize=4096)
def equal_math(gold: str, answer: str) -> bool:
    """Whether an answer is the same mathematics as the gold one.

    Words are compared as words, and numbers with a base (1011_2) as they are written. All else is compared as
    mathematics. Exact numbers must be exactly equal; a decimal with at least six places may also equal a number that
    it rounds. In sets the order does not matter, in tuples and intervals it does. An answer that cannot be read, or
    takes longer than `MathWorker.LIMIT` seconds, is not equal. Can be called in any thread. Raises UserError where
    math-verify is not installed.
    """
    words = _wording(gold), _wording(answer)
    if words[0] == words[1]:
        return True
    if len(words[0]) == len(words[1]) == 1:  # "B" and "b"
        return False
    if max(len(gold), len(answer)) > LONGEST:
        return False
    measures = _measure(gold), _measure(answer)
    if conflict(*measures) or _primes(gold) != _primes(answer):
        return False
    texts = _normalise(gold), _normalise(answer)
    texts = (
        _without_glued_unit(texts[0], answer, is_answer=False),
        _without_glued_unit(texts[1], gold, is_answer=True),
    )
    if texts[0] == texts[1] or not texts[1]:
        return texts[0] == texts[1]
    if any(is_wording(text) or _BASED.fullmatch(text) for text in texts):
        return False
    if _WORKER.equal(*texts):
        return True
    power = _AMBIGUOUS_POWER.fullmatch(texts[1])  # 2e-7, which may be 2e - 7
    return bool(power) and _WORKER.equal(texts[0], power_of_ten(texts[1]))


_WORKER = MathWorker()
