"""Claims, which questions ask about, and what follows about them from facts.

A claim is a predicate over two names: `continent(France, Asia)` or `more_area(France, Italy)`. A
True/False question asks whether the claim holds. A multiple-choice question leaves one side open, and its
options are names for that side. The function `read` is used both to make questions and to judge traces; only the
place where facts are looked up differs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from memreason.tasks.atlas.facts import SAME_NUMBER, Fact, Lookup, pair

OPEN = "?"
"""Stands in a claim for the side that a multiple-choice question leaves open."""
LETTERS = "ABCD"


class Predicate(StrEnum):
    """How a claim relates its left side to its right side. Predicates about one fact have the name of its relation."""

    CONTINENT = "continent"
    CAPITAL = "capital"
    CURRENCY = "currency"
    LANGUAGE = "language"
    AREA = "area"
    POPULATION = "population"
    HEMISPHERE = "hemisphere"
    SAME_CONTINENT = "same_continent"
    SAME_HEMISPHERE = "same_hemisphere"
    MORE_AREA = "more_area"
    MORE_PEOPLE = "more_people"
    BORDER = "border"
    NO_BORDER = "no_border"
    CAPITAL_CONTINENT = "capital_continent"


class Rule(StrEnum):
    """How a reason step draws its conclusion from the facts recalled before it."""

    DIFFER = "differ"
    """The two values are not the same."""
    MATCH = "match"
    """The recalled value is the value in the question."""
    BOTH = "both"
    """Both sides have the same value."""
    COMPARE = "compare"
    """One number is larger than the other."""
    TOUCH = "touch"
    """The two countries share a border."""
    APART = "apart"
    """The two countries share no border."""
    OPTION = "option"
    """The recalled value is the option with this letter."""


VALUE = (
    Predicate.CONTINENT,
    Predicate.CAPITAL,
    Predicate.CURRENCY,
    Predicate.LANGUAGE,
    Predicate.AREA,
    Predicate.POPULATION,
    Predicate.HEMISPHERE,
)
"""`continent(France, Asia)`: the right side is the value of that relation for the left side."""
SHARED = {Predicate.SAME_CONTINENT: "continent", Predicate.SAME_HEMISPHERE: "hemisphere"}
"""`same_continent(France, Italy)`: both sides have the same value of the relation."""
MORE = {Predicate.MORE_AREA: "area", Predicate.MORE_PEOPLE: "population"}
"""`more_area(France, Italy)`: the number of the left side is larger than that of the right side."""
BORDER = {Predicate.BORDER: "yes", Predicate.NO_BORDER: "no"}
"""`border(France, Italy)` and its opposite → the value of the border fact for which they hold."""

KINDS = {
    Predicate.CONTINENT: ("country", "continent"),
    Predicate.CAPITAL: ("country", "city"),
    Predicate.CURRENCY: ("country", "currency"),
    Predicate.LANGUAGE: ("country", "language"),
    Predicate.AREA: ("country", "number"),
    Predicate.POPULATION: ("country", "number"),
    Predicate.HEMISPHERE: ("city", "hemisphere"),
    Predicate.SAME_CONTINENT: ("country", "country"),
    Predicate.SAME_HEMISPHERE: ("city", "city"),
    Predicate.MORE_AREA: ("country", "country"),
    Predicate.MORE_PEOPLE: ("country", "country"),
    Predicate.BORDER: ("country", "country"),
    Predicate.NO_BORDER: ("country", "country"),
    Predicate.CAPITAL_CONTINENT: ("city", "continent"),
}
"""Predicate → the kinds of name on its left and on its right side."""

FAMILIES = {
    "continent": (Predicate.CONTINENT,),
    "same-continent": (Predicate.SAME_CONTINENT,),
    "capital": (Predicate.CAPITAL,),
    "capital-continent": (Predicate.CAPITAL_CONTINENT,),
    "border": (Predicate.BORDER, Predicate.NO_BORDER),
    "area": (Predicate.MORE_AREA, Predicate.AREA),
    "population": (Predicate.MORE_PEOPLE, Predicate.POPULATION),
    "currency": (Predicate.CURRENCY,),
    "language": (Predicate.LANGUAGE,),
    "hemisphere": (Predicate.HEMISPHERE, Predicate.SAME_HEMISPHERE),
}
"""Question family → its predicates."""


@dataclass(frozen=True)
class Claim:
    """A predicate over two names; one of them may be `OPEN`."""

    predicate: Predicate
    left: str
    right: str

    def filled(self, option: str) -> Claim:
        """The claim with ``option`` on its open side."""
        return replace(self, left=option) if self.left == OPEN else replace(self, right=option)


class Asked(NamedTuple):
    """The meaning of a question: its claim, and the names in its options (None for an option that is no such name)."""

    claim: Claim
    options: tuple[str | None, ...] = ()


class Reading(NamedTuple):
    """What facts say about a claim: whether it holds, the two values that were compared, and the facts used."""

    holds: bool
    values: tuple[str, str]
    facts: tuple[Fact, ...]


class Conclusion(NamedTuple):
    """An answer, and the reading from which it follows."""

    answer: str
    reading: Reading


def read(claim: Claim, lookup: Lookup) -> Reading | None:
    """Whether the claim holds by the facts that ``lookup`` knows; None where a needed fact is missing."""
    predicate, left, right = claim.predicate, claim.left, claim.right
    if predicate in VALUE:
        value = lookup(predicate, left)
        if value is None:
            return None
        return Reading(_same(predicate, value, right), (value, right), (Fact(predicate, left, value),))
    if predicate in BORDER:
        value = lookup("border", pair(left, right))
        if value is None:
            return None
        fact = Fact("border", pair(left, right), value)
        return Reading(value == BORDER[predicate], (value, BORDER[predicate]), (fact,))
    if predicate == Predicate.CAPITAL_CONTINENT:
        country = lookup("seat", left)
        value = lookup("continent", country) if country else None
        if country is None or value is None:
            value = lookup(predicate, left)  # stated of the capital itself
            return Reading(value == right, (value, right), (Fact(predicate, left, value),)) if value else None
        facts = (Fact("capital", country, left), Fact("continent", country, value))
        return Reading(value == right, (value, right), facts)
    relation = (SHARED | MORE)[predicate]
    first, second = lookup(relation, left), lookup(relation, right)
    if first is None or second is None:
        return None
    holds = first == second if predicate in SHARED else int(first) > int(second)
    return Reading(holds, (first, second), (Fact(relation, left, first), Fact(relation, right, second)))


def conclude(asked: Asked, lookup: Lookup) -> Conclusion | None:
    """The answer that follows from the facts that ``lookup`` knows; None where no answer or more than one follows.

    An option follows where facts say that it fits; it does not where they only say that the others do not fit.
    """
    if not asked.options:
        reading = read(asked.claim, lookup)
        return Conclusion(str(reading.holds), reading) if reading else None
    fitting = []
    for letter, option in zip(LETTERS, asked.options, strict=False):
        reading = read(asked.claim.filled(option), lookup) if option else None
        if reading and reading.holds:
            fitting.append(Conclusion(letter, reading))
    return fitting[0] if len(fitting) == 1 else None


def _same(relation: str, stated: str, claimed: str) -> bool:
    if relation in ("area", "population"):
        return abs(int(stated) - int(claimed)) <= SAME_NUMBER * int(claimed)
    return stated == claimed
