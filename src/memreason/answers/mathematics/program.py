"""The program that compares answers in LaTeX, one pair per line; `worker` runs it. It imports nothing from memreason.

Sets, lists, tuples and intervals are split into their parts by their text. math-verify cannot do this: it has one class
for the pair (1,5) and the open interval, and takes both for sets where it compares them with a set. Answers without
parts are compared by math-verify, with `same` in place of its own comparison of numbers, which rounds to six places.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

PLACES = 6
"""Fewest decimals of a number that may equal another one that it rounds: 0.333333 equals 1/3, but 0.33 does not."""
SIGNIFICANT = 4
"""Fewest digits of such a number, without zeros in front: 0.000003 equals no other number."""
DIGITS, MOST_DIGITS = 60, 1000
"""Digits to which two numbers are compared: first, to find unequal ones fast; and where equality cannot be proved."""
MOST_PARTS, DEEPEST = 50, 20
"""Most parts of a set or list, and most levels of brackets, that are compared."""

_DECIMAL = re.compile(
    r"([+-]?)\s*(\d{0,400})(?:\.(\d{0,400}))?(?:\s*\\(?:times|cdot)\s*10\s*\^\s*(?:\{\s*([+-]?\d{1,3})\s*\}|(\d)))?"
)
_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])")
_SEPARATOR = re.compile(
    r"\\[{}]|[,;()\[\]{}⟨⟩]|\\(?:text|mathrm|mbox)\s*\{\s*,?\s*(?:and|or)\s*,?\s*\}|(?<![\\A-Za-z])(?:and|or)(?![A-Za-z])"
)
_OPENING, _CLOSING = set("([{⟨") | {"\\{"}, set(")]}⟩") | {"\\}"}
_NAMED = re.compile(r"([A-Za-z](?:_\{?\w+\}?)?)\s*=(?!=).*", re.DOTALL)
_TUPLE_OF_NAMES = re.compile(r"\(\s*[A-Za-z](?:\s*,\s*[A-Za-z])+\s*\)\s*=\s*(?=\()")
_NAME_OF_BRACKETS = re.compile(r"\s*([A-Za-z](?:_\{?\w+\}?)?)\s*(?:=|\\in\b)\s*(?=[(\[⟨]|\\\{)")


class Parts(NamedTuple):
    """The ``texts`` of the parts of an answer; ``kind`` is "set", "list" (no brackets), or the brackets of a tuple or
    interval: "()", "[)" …"""

    kind: str
    texts: list[str]


class Decimal(NamedTuple):
    """A number written in digits: its value, the unit of its last digit (0.01 for 3.14), and its numbers of decimal
    places and of significant digits."""

    value: Fraction
    unit: Fraction
    places: int
    significant: int


def equal(gold: str, answer: str) -> bool:
    """Whether two answers are the same. In sets and lists the order does not matter, in tuples and intervals it does.

    A tuple is not equal to a set, but may lack its parentheses. The order of two lists matters where the parts of one
    have names, as in x=1, y=2, and those of the other have none.
    """
    if "=" not in gold or "=" not in answer:
        gold, answer = _TUPLE_OF_NAMES.sub("", gold), _TUPLE_OF_NAMES.sub("", answer)
    gold, answer = _unnamed(gold, answer), _unnamed(answer, gold)
    one, other = parts(gold), parts(answer)
    if one is None or other is None:
        alone = one or other
        if alone and alone.kind == "set" and len(alone.texts) == 1:
            return equal(alone.texts[0], answer) if one else equal(gold, alone.texts[0])
        return _wholes_equal(gold, answer)
    kinds = {one.kind, other.kind}
    if kinds <= {"set", "list"}:
        ordered = kinds == {"list"} and _names(one) != _names(other)
        return (_in_order if ordered else _in_any_order)(one.texts, other.texts)
    return (one.kind == other.kind or kinds == {"()", "list"}) and _in_order(one.texts, other.texts)


def _unnamed(text: str, other: str) -> str:
    """`S=\\{1,2\\}` and `x\\in(1,2)` without the part before the bracket, unless ``other`` has another name there."""
    match, named = _NAME_OF_BRACKETS.match(text), _NAME_OF_BRACKETS.match(other)
    if not match or (named and named[1] != match[1]):
        return text
    inner = parts(text[match.end() :])
    return text[match.end() :] if inner and inner.kind != "list" else text


def parts(text: str) -> Parts | None:
    """The parts of a set, list, tuple or interval; None for any other text."""
    text = text.strip()
    if text.startswith("\\{") and _closes_at_end(text):
        return Parts("set", _expanded(_split(text[2:-2])))
    if text[:1] in _OPENING and _closes_at_end(text):
        kind, inner = text[0] + text[-1], _split(text[1:-1])
        if len(inner) > 1 and kind != "{}":
            return Parts("()" if kind == "⟨⟩" else kind, inner)
        return parts(text[1:-1]) if kind in ("()", "{}") else None
    texts = _expanded(_split(_without_commas(text)))
    return Parts("list", texts) if len(texts) > 1 else None


def _closes_at_end(text: str) -> bool:
    """Whether the bracket at the start of the text is closed by the one at its end, and not earlier."""
    depth = 0
    for match in _SEPARATOR.finditer(text):
        depth += (match[0] in _OPENING) - (match[0] in _CLOSING)
        if depth == 0 and match[0] in _CLOSING:
            return match.end() == len(text) and (match[0] == "\\}") == text.startswith("\\{")
    return False


def _split(text: str) -> list[str]:
    """The parts of ``text`` between commas, semicolons, "and" and "or" outside of brackets, without empty ones.

    If a space follows any comma, then a comma before three digits without a space belongs to a number.
    """
    if re.search(",\\s", text):
        text = _without_commas(text)
    texts: list[str] = []
    depth = start = 0
    for match in _SEPARATOR.finditer(text):
        depth += (match[0] in _OPENING) - (match[0] in _CLOSING)
        if depth == 0 and match[0] not in _CLOSING:
            texts.append(text[start : match.start()])
            start = match.end()
    return [part for part in map(str.strip, [*texts, text[start:]]) if part]


def _without_commas(text: str) -> str:
    return _THOUSANDS.sub(lambda number: number[0].replace(",", ""), text)


def _expanded(texts: list[str]) -> list[str]:
    """The parts, without repetitions; a part with one plus-minus sign becomes two, with plus and with minus."""
    expanded: list[str] = []
    for text in texts:
        once = text.count("\\pm") == 1
        expanded += [text.replace("\\pm", a).replace("\\mp", b) for a, b in ("+-", "-+")] if once else [text]
    return list(dict.fromkeys(expanded))


def _names(list_: Parts) -> list[str]:
    """The names of the parts of a list (x and y in x=1, y=2), if every part has one and all differ; else empty."""
    names = [match[1] for text in list_.texts if (match := _NAMED.fullmatch(text))]
    return sorted(names) if len(set(names)) == len(list_.texts) else []


def _in_order(gold: list[str], answer: list[str]) -> bool:
    return len(gold) == len(answer) and all(map(equal, gold, answer))


def _in_any_order(gold: list[str], answer: list[str]) -> bool:
    if len(gold) != len(answer) or len(gold) > MOST_PARTS:
        return False
    left = [text for text in answer if text not in gold]
    for text in gold:
        if text not in answer:
            partner = next((other for other in left if equal(text, other)), None)
            if partner is None:
                return False
            left.remove(partner)
    return True


def decimal(text: str) -> Decimal | None:
    """A number in digits, with or without commas between thousands and a power of ten; None for anything else."""
    match = _DECIMAL.fullmatch(_without_commas(text.strip()))
    if not match or not (match[2] or match[3]):
        return None
    digits, places = match[2] + (match[3] or ""), len(match[3] or "")
    unit = Fraction(10) ** (int(match[4] or match[5] or 0) - places)
    return Decimal(int(match[1] + digits) * unit, unit, places, len(digits.lstrip("0")))


def _nests_well(text: str) -> bool:
    """Whether every bracket is closed, by any kind of bracket ([1,2) is right), and none is nested too deeply.

    The parser would take seconds for texts where this is not so.
    """
    depth = deepest = 0
    for match in re.finditer(r"\\.|[()\[\]{}]", text, re.DOTALL):
        depth += (match[0] in "([{") - (match[0] in ")]}")
        deepest = max(deepest, depth)
        if depth < 0:
            return False
    return depth == 0 and deepest <= DEEPEST


def _wholes_equal(gold: str, answer: str) -> bool:
    from math_verify import verify

    if not (_nests_well(gold) and _nests_well(answer)):
        return False
    one, other = decimal(gold), decimal(answer)
    if (one and _rounds(one, other, answer)) or (other and _rounds(other, one, gold)):
        return True
    if one and other:
        return one.value == other.value
    return bool(verify(list(read(gold)), list(read(answer)), timeout_seconds=None, allow_set_relation_comp=True))


def _rounds(number: Decimal, other: Decimal | None, text: str) -> bool:
    """Whether ``number``, if it has enough decimals, is the number in ``text``, rounded to that many decimals.

    ``other`` is the number in ``text``, if that is a decimal too.
    """
    from sympy import Expr

    if number.places < PLACES or number.significant < SIGNIFICANT:
        return False
    exact = _rational(other.value) if other else next(iter(read(text)), None)
    exact = exact_form(exact) if isinstance(exact, Expr) else None
    if exact is None or not exact.is_number or not exact.is_real or exact.is_Integer:  # an integer needs no rounding
        return False
    return bool(2 * abs((exact - _rational(number.value)).evalf(DIGITS)) <= _rational(number.unit))


def _rational(value: Fraction) -> Any:
    from sympy import Rational

    return Rational(value.numerator, value.denominator)


def exact_form(value: Any) -> Any:
    """The expression ``value`` with each decimal as the exact fraction that was written, and everything computed."""
    from sympy import Float, Rational

    value = value.doit()
    return value.xreplace({number: Rational(str(number)) for number in value.atoms(Float)})


def same(one: Any, other: Any, *_: Any) -> bool:
    """Whether two expressions or matrices of sympy are exactly the same."""
    from sympy import MatrixBase, Rational, simplify

    one, other = one.doit(), other.doit()
    if isinstance(one, MatrixBase) or isinstance(other, MatrixBase):
        return one.shape == other.shape and all(map(same, one.flat(), other.flat()))
    one, other = exact_form(one), exact_form(other)
    if one == other or (isinstance(one, Rational) and isinstance(other, Rational)):
        return bool(one == other)
    numbers = one.is_number and other.is_number
    if numbers and not _agree(one, other, DIGITS):
        return False
    difference = simplify(one - other)
    if difference.is_zero is not None or not numbers:
        return bool(difference.is_zero)
    proved = difference.equals(0)
    return _agree(one, other, MOST_DIGITS) if proved is None else bool(proved)


def _agree(one: Any, other: Any, digits: int) -> bool:
    """Whether two numbers have the same first ``digits`` - 10 significant digits, however small the numbers are."""
    from sympy import Float

    values = one.evalf(digits), other.evalf(digits)
    largest = max(map(abs, values))
    return bool(largest.is_finite and abs(values[0] - values[1]) <= largest * Float(10) ** (10 - digits))


@lru_cache(maxsize=1000)
def read(text: str) -> tuple[Any, ...]:
    """What math-verify parses from ``text``: a sympy expression, and the text itself; empty where it fails."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    # The library's own list of units would remove the t of 3t, and the ab of 2ab.
    config = NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="none")
    return tuple(parse(f"${text}$", [LatexExtractionConfig(normalization_config=config)], parsing_timeout=None))


def main() -> None:
    """Read lines of JSON, [gold, answer], from stdin, and write true or false for each on stdout."""
    from math_verify import grader

    grader.sympy_numeric_eq = same  # the library's own rounds, and takes small numbers for zero
    grader.sympy_symbolic_eq = lambda one, other: False  # `same` has compared symbols already
    with suppress(ImportError, ValueError):  # not every system has such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            answer = equal(*json.loads(line))
        except Exception:  # on garbage, the parser can raise anything
            answer = False
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
