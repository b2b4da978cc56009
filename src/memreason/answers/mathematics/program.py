"""The program that compares answers in LaTeX, a pair a line; `worker` runs it. It imports nothing of ours.

What has parts is taken apart by its text, since the library has one class for the pair (1,5) and the open interval,
and takes both for a set where it compares them with one. What has no parts is compared by math-verify, with `same`
in place of its own comparison of numbers, which rounds to six places.
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
"""Decimals that a number must have to stand for another one that it rounds: 0.333333 for 1/3, but not 0.33."""
SIGNIFICANT = 4
"""Digits, zeros in front not counted, that it must have as well: 0.000003 stands for no other number."""
DIGITS, MOST_DIGITS = 60, 1000
"""To so many digits unequal numbers are told apart, and those whose equality cannot be proved are compared."""
MOST_PARTS, DEEPEST = 50, 20

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
    """``kind`` is "set", "list" (without brackets), or the brackets of a tuple or interval: "()", "[)" …"""

    kind: str
    texts: list[str]


class Decimal(NamedTuple):
    """A number written in digits: its value, the worth of its last digit, its decimals and significant digits."""

    value: Fraction
    unit: Fraction
    places: int
    significant: int


def equal(gold: str, answer: str) -> bool:
    """Whether two answers are the same: sets and lists in any order, tuples and intervals in theirs.

    A tuple is no set, but may lack its parentheses. Where the parts of one list have names, as in x=1, y=2, and
    those of the other have none, their order counts.
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
    """`S=\\{1,2\\}` and `x\\in(1,2)` without what stands before the bracket, unless the other one has another name."""
    match, named = _NAME_OF_BRACKETS.match(text), _NAME_OF_BRACKETS.match(other)
    if not match or (named and named[1] != match[1]):
        return text
    found = parts(text[match.end() :])
    return text[match.end() :] if found and found.kind != "list" else text


def parts(text: str) -> Parts | None:
    """The parts of a set, list, tuple or interval; None where it is none of them."""
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
    """Whether the bracket that opens the text is closed by its last sign, and no sooner."""
    depth = 0
    for match in _SEPARATOR.finditer(text):
        depth += (match[0] in _OPENING) - (match[0] in _CLOSING)
        if depth == 0 and match[0] in _CLOSING:
            return match.end() == len(text) and (match[0] == "\\}") == text.startswith("\\{")
    return False


def _split(text: str) -> list[str]:
    """The parts between commas, semicolons, "and" and "or" that stand in no bracket; none that is empty.

    Where a space follows some comma, one without a space and before three digits belongs to a number.
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
    """Each part with one plus-minus sign as the two that it stands for, and none twice."""
    found: list[str] = []
    for text in texts:
        once = text.count("\\pm") == 1
        found += [text.replace("\\pm", a).replace("\\mp", b) for a, b in ("+-", "-+")] if once else [text]
    return list(dict.fromkeys(found))


def _names(list_: Parts) -> list[str]:
    """The names that the parts of a list have, where all have one of their own: x and y in x=1, y=2."""
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
            found = next((other for other in left if equal(text, other)), None)
            if found is None:
                return False
            left.remove(found)
    return True


def decimal(text: str) -> Decimal | None:
    """A number in digits, with commas between thousands and a power of ten or without; None for anything else."""
    match = _DECIMAL.fullmatch(_without_commas(text.strip()))
    if not match or not (match[2] or match[3]):
        return None
    digits, places = match[2] + (match[3] or ""), len(match[3] or "")
    unit = Fraction(10) ** (int(match[4] or match[5] or 0) - places)
    return Decimal(int(match[1] + digits) * unit, unit, places, len(digits.lstrip("0")))


def _nests_well(text: str) -> bool:
    """Whether every bracket is closed, and none too deep: the parser takes seconds to find out. [1,2) is closed."""
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
    """Whether a number with enough decimals is the other one, which ``text`` spells, rounded to just these decimals."""
    from sympy import Expr

    if number.places < PLACES or number.significant < SIGNIFICANT:
        return False
    exact = _rational(other.value) if other else next(iter(read(text)), None)
    exact = exact_form(exact) if isinstance(exact, Expr) else None
    if exact is None or not exact.is_number or not exact.is_real or exact.is_Integer:  # which is no approximation
        return False
    return bool(2 * abs((exact - _rational(number.value)).evalf(DIGITS)) <= _rational(number.unit))


def _rational(value: Fraction) -> Any:
    from sympy import Rational

    return Rational(value.numerator, value.denominator)


def exact_form(value: Any) -> Any:
    """With each decimal as the fraction that was written, and what can be computed computed."""
    from sympy import Float, Rational

    value = value.doit()
    return value.xreplace({number: Rational(str(number)) for number in value.atoms(Float)})


def same(one: Any, other: Any, *_: Any) -> bool:
    """Whether two expressions or matrices are the same, exactly."""
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
    """Whether two numbers are the same to nearly so many digits, however small they are."""
    from sympy import Float

    values = one.evalf(digits), other.evalf(digits)
    largest = max(map(abs, values))
    return bool(largest.is_finite and abs(values[0] - values[1]) <= largest * Float(10) ** (10 - digits))


@lru_cache(maxsize=1000)
def read(text: str) -> tuple[Any, ...]:
    """What math-verify reads in a text: an expression of sympy, and the text itself; nothing where it fails."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    # Its own list of units takes the t off 3t, and the ab off 2ab.
    config = NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="none")
    return tuple(parse(f"${text}$", [LatexExtractionConfig(normalization_config=config)], parsing_timeout=None))


def main() -> None:
    """Answer each line [gold, answer] with true or false."""
    from math_verify import grader

    grader.sympy_numeric_eq = same  # which rounds, and takes what is small for zero
    grader.sympy_symbolic_eq = lambda one, other: False  # `same` has tried
    with suppress(ImportError, ValueError):  # not everywhere
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            answer = equal(*json.loads(line))
        except Exception:  # whatever a parser says of garbage
            answer = False
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
