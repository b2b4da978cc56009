"""Rules on two sentences that are about the same: whether their negations, numbers and names agree.

Embeddings hardly tell "A borders B" from "A does not border B", or 1912 from 1921. These rules do, and need no model.
They know English only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from memreason.tasks.atlas.names import plain_letters

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_SIZE = re.compile(r"[ -]?(thousand|million|billion|trillion)\b", re.IGNORECASE)
_SIZES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_COUNTS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SMALL = {name: float(value) for value, name in enumerate(_COUNTS, 2)}
_NEGATIVE = re.compile(
    r"\b(?:not|no|never|neither|nor|none|nobody|nothing|nowhere|without|cannot|false|incorrect|untrue|wrong|unable"
    r"|unlikely|impossible|differs?|fails?|lacks?)\b|n['’]t\b",
    re.IGNORECASE,
)
_OPPOSITES = [
    (frozenset(pair[0].split("/")), frozenset(pair[1].split("/")))
    for pair in (
        ("north/northern", "south/southern"),
        ("east/eastern", "west/western"),
        ("always", "never"),
        ("increase/increases/increased", "decrease/decreases/decreased"),
        ("rise/rises/rose", "fall/falls/fell"),
        ("legal", "illegal"),
        ("alive", "dead"),
        ("male", "female"),
    )
]
"""Words, of which one denies the other whatever they are said of. Not "larger" and "smaller": these say the same where
the sentence is turned round."""
_YEARS = 10_000
"""Smaller numbers must be equal: a year that is off by one is another year."""
_ROUNDING = 0.10
"""Larger numbers are the same within this share; two roundings of one number can differ by as much."""
_LONG = 12
"""Words. A sentence of at most so many says one thing: another name is another thing, a negation denies it. In a longer
one, the names must stand behind the same word, and the negation must deny a word of the other sentence."""
_REACH, _STEM = 3, 5
"""How many words a negation is taken to deny, and how many letters of two words must be equal."""
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "the a an this that these those it its he she they his her their we you i in on at of by for from with to as "
        "if so and or but both all some many most each every no not there here about after before since when while "
        "because therefore thus hence however although though given based according is are was were be one two people "
        "yes ",
    )
)
"""Words that stand first in a sentence and are no names."""


def normal_form(text: str) -> str:
    """The words of ``text`` in lower case, without accents, marks and articles, one space between two."""
    words = re.findall(r"\d+(?:[.,]\d+)*|[^\W_]+(?:'[^\W_]+)?", plain_letters(text).casefold())
    return " ".join(word for word in words if word not in ("the", "a", "an"))


class Differences(NamedTuple):
    """How two sentences differ by these rules.

    ``ways`` is 0 where no rule finds a difference: they have equally many negative words, neither has the opposite of
    a word in the other, and not each has a number, or a name, that the other lacks. ``evened``: both sentences, where
    exactly one thing differs, made equal in it: without their negative words, or with one number, name or word put for
    the other.
    """

    ways: int
    evened: tuple[str, str] | None = None


def differences(one: str, other: str) -> Differences:
    """How two sentences differ. If they say the same once they are evened, they contradict each other."""
    found = [way(one, other) for way in (_negation, _opposite, _number, _name)]
    there = [difference for difference in found if difference.ways]
    return there[0] if len(there) == 1 else Differences(sum(difference.ways for difference in there))


def numbers(text: str) -> dict[float, str]:
    """The numbers in a text, as it writes them: in digits or as a word from two to twelve, with their thousands and
    millions."""
    found = {_SMALL[word.lower()]: word for word in _WORD.findall(text) if word.lower() in _SMALL}
    for match in _NUMBER.finditer(text):
        size = _SIZE.match(text, match.end())
        value = float(match[0].replace(",", "")) * (_SIZES[size[1].lower()] if size else 1)
        found[value] = text[match.start() : size.end() if size else match.end()]
    return found


def names(text: str) -> dict[str, str]:
    """The names in a text, in lower case, and as it writes them: words with a capital letter; those that follow each
    other are one name. The first word of a sentence counts where it is no common word."""
    found: dict[str, str] = {}
    run: list[str] = []
    end = 0
    for place, match in enumerate(_WORD.finditer(text)):
        word = match[0]
        is_name = word[0].isupper() and not (word.casefold() in _COMMON and (place == 0 or not run))
        if run and not (is_name and text[end : match.start()] == " "):
            found[" ".join(run).casefold()] = " ".join(run)
            run = []
        if is_name:
            run.append(re.sub(r"['’]s$", "", word))
        end = match.end()
    return found | ({" ".join(run).casefold(): " ".join(run)} if run else {})


def _negation(one: str, other: str) -> Differences:
    negative = sorted(len(_NEGATIVE.findall(text)) for text in (one, other))
    if negative[0] == negative[1]:
        return Differences(0)
    if negative != [0, 1]:  # "It is unlikely that it cannot": whether this denies the other is too hard to say
        return Differences(2)
    if _is_long(one, other) and not _denies_what_stands_in(one, other):
        return Differences(2)
    evened = [" ".join(_NEGATIVE.sub("", text).split()) for text in (one, other)]
    return Differences(1, (evened[0], evened[1]))


def _denies_what_stands_in(one: str, other: str) -> bool:
    """Whether one of the words behind the negation of a text stands in the other text as well."""
    negative, positive = (one, other) if _NEGATIVE.search(one) else (other, one)
    match = _NEGATIVE.search(negative)
    assert match is not None
    denied = [word for word in _WORD.findall(negative[match.end() :])[:_REACH] if len(word) >= _STEM - 1]
    stems = {word.casefold()[:_STEM] for word in _WORD.findall(positive)}
    return any(word.casefold()[:_STEM] in stems for word in denied)


def _opposite(one: str, other: str) -> Differences:
    a, b = ({word.casefold(): word for word in _WORD.findall(text)} for text in (one, other))
    for x, y in _OPPOSITES:
        in_a, in_b = [w for w in a if w in x | y], [w for w in b if w in x | y]
        if len(in_a) == len(in_b) == 1 and (in_a[0] in x) != (in_b[0] in x):
            return Differences(1, (one, _put(other, b[in_b[0]], a[in_a[0]])))
    return Differences(0)


def _number(one: str, other: str) -> Differences:
    a, b = numbers(one), numbers(other)
    return _replaced([a[x] for x in a if not any(_equal(x, y) for y in b)],
                     [b[y] for y in b if not any(_equal(x, y) for x in a)], one, other)  # fmt: skip


def _name(one: str, other: str) -> Differences:
    a, b = names(one), names(other)
    words = {word for text in (one, other) for word in _WORD.findall(text)}
    only_a, only_b = ({x for x in p.keys() - q.keys() if x not in words} for p, q in ((a, b), (b, a)))
    only_a, only_b = (
        {x for x in these if not any(_same_name(x, y) for y in those)}
        for these, those in ((only_a, only_b), (only_b, only_a))
    )
    found = _replaced([a[x] for x in only_a], [b[y] for y in only_b], one, other)
    if found.evened and _is_long(one, other) and _before(one, a[only_a.pop()]) != _before(other, b[only_b.pop()]):
        return Differences(2)
    return found


def _is_long(one: str, other: str) -> bool:
    return max(len(_WORD.findall(one)), len(_WORD.findall(other))) > _LONG


def _before(text: str, name: str) -> str | object:
    """The word before a name; at the beginning of a text there is none, and nothing equals that."""
    words = _WORD.findall(text[: text.find(name)])
    return words[-1].casefold() if words else object()


def _replaced(in_one: list[str], in_other: list[str], one: str, other: str) -> Differences:
    if not in_one or not in_other:
        return Differences(0)
    if len(in_one) == len(in_other) == 1:
        return Differences(1, (one, _put(other, in_other[0], in_one[0])))
    return Differences(2)


def _put(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, text)


def _same_name(one: str, other: str) -> bool:
    """Whether the words of one name are all in the other."""
    a, b = set(one.split()), set(other.split())
    return a <= b or b <= a


def _equal(one: float, other: float) -> bool:
    return one == other or (min(one, other) >= _YEARS and abs(one - other) <= _ROUNDING * max(one, other))
