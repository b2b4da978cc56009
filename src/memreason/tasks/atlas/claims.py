"""Claims: what a question is about, and what follows about it from facts.

A claim is a predicate over two things, `continent(France, Asia)` or `more_area(France, Italy)`. A
True/False question asks whether it holds; a multiple-choice question leaves one side open, and its
options fill it. The same `read` serves the table (to make questions) and a trace (to judge it): it
only differs in where facts are looked up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from memreason.tasks.atlas.facts import TOLERANCE, Fact, Lookup, pair

OPEN = "?"
LETTERS = "ABCD"


class Predicate(StrEnum):
    """What a claim says of its left and its right side. One that states a single fact is named like that fact."""

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
    """The recalled value is the one that the question names."""
    BOTH = "both"
    """Both sides have this value."""
    COMPARE = "compare"
    """One number is larger than the other."""
    TOUCH = "touch"
    """The two countries share a border."""
    APART = "apart"
    """The two countries share no border."""
    OPTION = "option"
    """This is what the option with this letter says."""


VALUE = (
    Predicate.CONTINENT,
    Predicate.CAPITAL,
    Predicate.CURRENCY,
    Predicate.LANGUAGE,
    Predicate.AREA,
    Predicate.POPULATION,
    Predicate.HEMISPHERE,
)
"""`continent(France, Asia)`: the left's value of that relation is the right."""
SHARED = {Predicate.SAME_CONTINENT: "continent", Predicate.SAME_HEMISPHERE: "hemisphere"}
"""`same_continent(France, Italy)`: both have the same value of the relation."""
MORE = {Predicate.MORE_AREA: "area", Predicate.MORE_PEOPLE: "population"}
"""`more_area(France, Italy)`: the left's number is larger than the right's."""
BORDER = {Predicate.BORDER: "yes", Predicate.NO_BORDER: "no"}
"""`border(France, Italy)`, and its opposite."""

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
"""What kind of name stands left and right in each predicate."""

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
        """The claim with an option put where it is open."""
        return replace(self, left=option) if self.left == OPEN else replace(self, right=option)


class Asked(NamedTuple):
    """A question's meaning: its claim, and the names in its options (None: not such a name)."""

    claim: Claim
    options: tuple[str | None, ...] = ()


class Reading(NamedTuple):
    """What facts say about a claim: whether it holds, the two values that were compared, the facts that were used."""

    holds: bool
    values: tuple[str, str]
    facts: tuple[Fact, ...]


class Conclusion(NamedTuple):
    """The answer that follows, and the reading that it follows from."""

    answer: str
    reading: Reading


def read(claim: Claim, lookup: Lookup) -> Reading | None:
    """Whether the claim holds by the facts that ``lookup`` knows; None where one is missing."""
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
            return None
        facts = (Fact("capital", country, left), Fact("continent", country, value))
        return Reading(value == right, (value, right), facts)
    relation = (SHARED | MORE)[predicate]
    first, second = lookup(relation, left), lookup(relation, right)
    if first is None or second is None:
        return None
    holds = first == second if predicate in SHARED else int(first) > int(second)
    return Reading(holds, (first, second), (Fact(relation, left, first), Fact(relation, right, second)))


def conclude(asked: Asked, lookup: Lookup) -> Conclusion | None:
    """The answer that follows from what ``lookup`` knows; None where no answer follows, or more than one."""
    if not asked.options:
        reading = read(asked.claim, lookup)
        return Conclusion(str(reading.holds), reading) if reading else None
    fitting = []
    for letter, option in zip(LETTERS, asked.options, strict=False):
        reading = read(asked.claim.filled(option), lookup) if option else None
        if reading and reading.holds:
            fitting.append(Conclusion(letter, reading))
    return fitting[0] if len(fitting) == 1 else None


def _same(relation: str, stated: str, asked: str) -> bool:
    if relation in ("area", "population"):
        return abs(int(stated) - int(asked)) <= TOLERANCE * int(asked)
    return stated == asked
