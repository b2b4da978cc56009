"""All questions that can be asked about some countries, and wrong options that are certainly wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, permutations, zip_longest
from random import Random

from memreason.tasks.atlas.claims import (
    BORDER,
    FAMILIES,
    KINDS,
    MORE,
    OPEN,
    SHARED,
    VALUE,
    Claim,
    Predicate,
    read,
)
from memreason.tasks.atlas.facts import CLEAR_RATIO, NUMBERS, Fact, world
from memreason.tasks.atlas.names import CONTINENTS, UNCLEAR_BORDERS, fold

WRONG_VALUES = 6
"""How many false statements are made about one country and one relation."""
FAR_PAIRS = 6
"""How many countries that are not its neighbours a country is paired with; few, so that such facts occur again."""

Cell = tuple[str, str]
"""(family, answer kind); the kinds are "True", "False" and "choice"."""


@dataclass(frozen=True)
class Region:
    """The countries that questions are about, ``subjects``, and those that may be their neighbours, ``partners``.

    ``repeats``: each fact must be usable in several questions, so that a test can ask again about a fact that training
    recalled.
    """

    subjects: tuple[str, ...]
    partners: tuple[str, ...]
    repeats: bool


@dataclass(frozen=True)
class Candidate:
    """A question that is not yet put into words: a claim, and its open side, "left" or "right" ("" for True/False)."""

    family: str
    claim: Claim
    open_side: str = ""

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """The facts that answer the question, in the order in which a solution recalls them: the known side's first."""
        reading = read(self.claim, world().lookup)
        facts = reading.facts if reading else ()
        return facts[::-1] if self.open_side == "left" and self.claim.predicate in MORE else facts

    @property
    def asked(self) -> Claim:
        """The claim as the question shows it, with `OPEN` on its open side."""
        if not self.open_side:
            return self.claim
        return replace(self.claim, left=OPEN) if self.open_side == "left" else replace(self.claim, right=OPEN)

    @property
    def correct(self) -> str:
        """The right name for the open side."""
        return str(getattr(self.claim, self.open_side))

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for two questions that ask the same, even if they name the two countries in a different order."""
        left, right, predicate = self.claim.left, self.claim.right, self.claim.predicate
        symmetric = not self.open_side and KINDS[predicate][0] == KINDS[predicate][1]
        sides = sorted((left, right)) if symmetric else (left, right)
        return (predicate, self.open_side, *sides)


def clearly(claim: Claim) -> bool | None:
    """Whether the claim holds in the table; None where this is open to doubt."""
    reading = read(claim, world().lookup)
    if reading is None:
        return None
    if claim.predicate in (*MORE, *NUMBERS):
        low, high = sorted(map(int, reading.values))
        if high < CLEAR_RATIO * low and not (claim.predicate in NUMBERS and low == high):
            return None
    if claim.predicate in BORDER and {claim.left, claim.right} in UNCLEAR_BORDERS:
        return None
    if claim.predicate == Predicate.LANGUAGE and not reading.holds:
        return None if claim.right in world().countries[claim.left].languages else False
    return reading.holds


def candidates(region: Region, rng: Random) -> dict[Cell, list[Candidate]]:
    """All candidates of each cell. The predicates and open sides take turns; within each the order is random."""
    pool: dict[Cell, list[Candidate]] = {}
    for family, predicates in FAMILIES.items():
        for kind in ("True", "False", "choice"):
            groups: dict[tuple[str, ...], list[Candidate]] = {}
            for predicate in predicates:
                for claim, open_side in _claims(predicate, kind, region, rng):
                    # Few cities are in the south. If north and south did not take turns, the word
                    # alone would tell the answer.
                    side = claim.right if predicate == Predicate.HEMISPHERE else ""
                    group = groups.setdefault((predicate, open_side, side), [])
                    group.append(Candidate(family, claim, open_side))
            for group in groups.values():
                rng.shuffle(group)
            turns = zip_longest(*groups.values())
            pool[family, kind] = [candidate for turn in turns for candidate in turn if candidate]
    return pool


def wrong_options(candidate: Candidate, region: Region, rng: Random) -> list[str] | None:
    """Three options that are clearly wrong, different, and of the right kind; None where there are fewer than three."""
    asked, chosen = candidate.asked, [candidate.correct]
    for option in _option_ideas(candidate, region, rng):
        taken = {fold(name) for name in (*chosen, asked.left, asked.right)}
        too_near = candidate.claim.predicate in NUMBERS and any(
            CLEAR_RATIO * min(int(option), int(other)) > max(int(option), int(other)) for other in chosen
        )
        if fold(option) not in taken and not too_near and clearly(asked.filled(option)) is False:
            chosen.append(option)
        if len(chosen) == 4:
            return chosen[1:]
    return None


def _option_ideas(candidate: Candidate, region: Region, rng: Random) -> list[str]:
    """Names that could be wrong options, the most plausible first."""
    predicate, claim = candidate.claim.predicate, candidate.claim
    if predicate in BORDER:
        return _near_first(claim.left, region.partners, rng)
    if candidate.open_side == "left" or predicate in (*MORE, *SHARED):
        # Partners come last, to fill up: of the few held-out countries, too few may be in the south.
        among = _shuffled(region.subjects, rng) + _shuffled(region.partners, rng)
        if KINDS[predicate][0] == "city":
            return [world().countries[name].capital for name in among]
        return among
    if KINDS[predicate][1] == "continent":
        return _shuffled(CONTINENTS.values(), rng)
    if predicate == Predicate.CAPITAL:
        near = _near_first(claim.left, region.subjects, rng)
        own = _shuffled(world().countries[claim.left].cities, rng)
        return own[: rng.randint(1, 2)] + [world().countries[name].capital for name in near]
    values = (world().lookup(predicate, name) for name in _shuffled(region.subjects, rng))
    return [value for value in values if value]


def _claims(predicate: Predicate, kind: str, region: Region, rng: Random) -> Iterator[tuple[Claim, str]]:
    if predicate in BORDER:
        yield from _border_claims(predicate, kind, region, rng)
    elif predicate in VALUE or predicate == Predicate.CAPITAL_CONTINENT:
        yield from _value_claims(predicate, kind, region, rng)
    else:
        yield from _pair_claims(predicate, kind, region)


def _value_claims(predicate: Predicate, kind: str, region: Region, rng: Random) -> Iterator[tuple[Claim, str]]:
    subjects = _subjects(predicate, region)
    values = [(name, _value(predicate, name)) for name in subjects]
    known = [(name, value) for name, value in values if value]
    for name, value in known:
        claim = Claim(predicate, name, value)
        if fold(name) == fold(value):
            continue  # "The capital of Singapore is Singapore" asks for nothing.
        if kind == "choice":
            if predicate not in NUMBERS:
                yield claim, "left"
            if predicate != Predicate.HEMISPHERE:
                yield claim, "right"
        elif predicate in NUMBERS:
            return
        elif kind == "True":
            yield claim, ""
        else:
            # Wrong values are as frequent as they are as right ones, so that no value by itself looks false.
            others = [rng.choice(known)[1] for _ in range(3 * WRONG_VALUES)]
            if predicate == Predicate.HEMISPHERE:
                others = ["north", "south"]
            if predicate == Predicate.CAPITAL:
                near = _near_first(name, region.subjects, rng)[:3]
                others = [*world().countries[name].cities, *(world().countries[n].capital for n in near)]
            wrong = [replace(claim, right=other) for other in dict.fromkeys(others)]
            yield from [(other, "") for other in wrong if clearly(other) is False][:WRONG_VALUES]


def _pair_claims(predicate: Predicate, kind: str, region: Region) -> Iterator[tuple[Claim, str]]:
    subjects = _subjects(predicate, region)
    if kind == "choice":
        for left, right in permutations(subjects, 2):
            claim = Claim(predicate, left, right)
            if clearly(claim):
                yield claim, "right"
                if predicate in MORE:
                    yield claim, "left"
        return
    for number, (left, right) in enumerate(combinations(subjects, 2)):
        # Each pair is used in one order only, so that no pair is asked about twice; half of the pairs are swapped.
        claim = Claim(predicate, left, right) if number % 2 else Claim(predicate, right, left)
        if clearly(claim) is (kind == "True"):
            yield claim, ""


def _border_claims(predicate: Predicate, kind: str, region: Region, rng: Random) -> Iterator[tuple[Claim, str]]:
    subjects = set(region.subjects)
    for name in region.subjects:
        near = [n for n in region.partners if clearly(Claim(Predicate.BORDER, name, n)) and n != name]
        if predicate == Predicate.BORDER and kind != "False":
            for other in near:
                if kind == "choice":
                    yield Claim(predicate, name, other), "right"
                elif other not in subjects or name < other:
                    sides = rng.sample((name, other), 2)
                    yield Claim(predicate, *sides), ""
        elif kind != "True" and (len(near) >= 3 or (kind == "False" and not region.repeats)):
            # "Which does not border" needs three wrong options, which do. Without three neighbours, a
            # far pair can be in one question only.
            for other in _far(name, region):
                if kind == "choice":
                    yield Claim(predicate, name, other), "right"
                elif predicate == Predicate.BORDER:
                    yield Claim(predicate, *rng.sample((name, other), 2)), ""


def _far(name: str, region: Region) -> list[str]:
    """Some countries that do not border ``name``, those of its continent first; always the same ones."""
    draw = Random(name)
    near = _near_first(name, region.partners, draw)
    return [other for other in near if clearly(Claim(Predicate.BORDER, name, other)) is False][:FAR_PAIRS]


def _subjects(predicate: Predicate, region: Region) -> list[str]:
    if KINDS[predicate][0] == "city":
        cities = [world().countries[name].capital for name in region.subjects]
        return [city for city in cities if city and world().lookup("hemisphere", city)]
    return list(region.subjects)


def _value(predicate: Predicate, name: str) -> str | None:
    lookup = world().lookup
    if predicate == Predicate.CAPITAL_CONTINENT:
        country = lookup("seat", name)
        return lookup("continent", country) if country else None
    return lookup(predicate, name)


def _near_first(name: str, among: Iterable[str], rng: Random) -> list[str]:
    """The countries in ``among`` other than ``name``, in random order, those of its continent first."""
    countries = world().countries
    others = _shuffled((other for other in among if other != name), rng)
    return sorted(others, key=lambda other: countries[other].continent != countries[name].continent)


def _shuffled(names: Iterable[str], rng: Random) -> list[str]:
    drawn = list(names)
    rng.shuffle(drawn)
    return drawn
