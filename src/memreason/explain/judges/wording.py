"""Rules on two sentences that say much the same: whether their negations, numbers and names agree.

Embeddings hardly tell "A borders B" from "A does not border B", or 1912 from 1921. These rules do, and need no model.
They know English only.
"""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_SIZES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SMALL = {
    name: float(value)
    for value, name in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
    if name not in ("zero", "one")  # "one" is mostly a pronoun
}
_NEGATIVE = re.compile(
    r"\b(?:not|no|never|neither|nor|none|nobody|nothing|nowhere|without|cannot|false|incorrect|untrue|wrong|unable"
    r"|unlikely|impossible|differs?|fails?|lacks?)\b|n['’]t\b"
)
_OPPOSITES = [
    tuple(frozenset(side.split("/")) for side in pair.split("|"))
    for pair in (
        "north/northern|south/southern east/eastern|west/western always|never everyone/everybody|nobody increase/increases|"
        "decrease/decreases rises/rise|falls/fall legal|illegal alive|dead male|female hot|cold wet|dry"
    ).split(" ")
]
"""Pairs of words, of which one denies the other whatever they are said of. Not "larger" and "smaller": these say the same
where the sentence is turned round."""
_YEARS = 10_000
"""Smaller numbers must be equal: a year that is off by one is another year."""
_ROUNDING = 0.10
"""Larger numbers are the same within this share; two roundings of one number can differ by as much."""


def normal_form(text: str) -> str:
    """The words of ``text`` in lower case, without accents, marks and leading articles, one space between two."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'"))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    words = re.findall(r"\d+(?:[.,]\d+)*|[^\W_]+(?:'[^\W_]+)?", plain)
    return " ".join(word for word in words if word not in ("the", "a", "an"))


def is_negative(text: str) -> bool:
    """Whether a text says that something is not so: it has an odd number of negative words."""
    return len(_NEGATIVE.findall(text.lower())) % 2 == 1


def numbers(text: str) -> set[float]:
    """The numbers in a text, written in digits or as a word from two to twelve, with their thousands and millions."""
    found = set()
    words = text.lower()
    for match in _NUMBER.finditer(words):
        size = re.match(r"[ -]?(thousand|million|billion|trillion)\b", words[match.end() :])
        found.add(float(match[0].replace(",", "")) * (_SIZES[size[1]] if size else 1))
    return found | {_SMALL[word] for word in _WORD.findall(words) if word in _SMALL}


def names(text: str) -> set[str]:
    """The words that are names, in lower case: those with a capital letter that do not stand first, and those that
    stand first and are no common word (`_COMMON`)."""
    words = _WORD.findall(text)
    return {w.casefold().removesuffix("'s").removesuffix("’s") for i, w in enumerate(words)
            if w[0].isupper() and not (i == 0 and w.casefold() in _COMMON)}  # fmt: skip


def other_numbers(one: str, other: str) -> bool:
    """Whether each of two texts has a number that the other lacks."""
    a, b = numbers(one), numbers(other)
    return _lacking(a, b) and _lacking(b, a)


def other_names(one: str, other: str) -> bool:
    """Whether the texts have a name in common, and each has another one that the other text lacks."""
    a, b = names(one), names(other)
    return bool(a & b and a - b and b - a)


def opposite(one: str, other: str) -> bool:
    """Whether one text has a word, and the other text its opposite (`_OPPOSITES`)."""
    a, b = ({w.casefold() for w in _WORD.findall(text)} for text in (one, other))
    return any((a & x and b & y) or (a & y and b & x) for x, y in _OPPOSITES if not (a & x and a & y or b & x and b & y))


def _lacking(these: set[float], those: set[float]) -> bool:
    return any(not any(_equal(one, other) for other in those) for one in these)


def _equal(one: float, other: float) -> bool:
    return one == other or (min(one, other) >= _YEARS and abs(one - other) <= _ROUNDING * max(one, other))


_COMMON = frozenset(
    "the a an this that these those it its he she they his her their we you i in on at of by for from with to as if "
    "so and or but both all some many most each every no not there here about after before since when while because "
    "therefore thus hence however although though since given based according is are was were be one two is".split()
)
