"""Which questions go into which split: held-out countries, the sizes of the parts, and which facts count as seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from memreason.errors import UserError
from memreason.records import Solution
from memreason.tasks.atlas.claims import FAMILIES, LETTERS
from memreason.tasks.atlas.facts import Fact, world
from memreason.tasks.atlas.names import CONTINENTS
from memreason.tasks.atlas.pool import Candidate, Cell, Region, candidates, wrong_options
from memreason.tasks.atlas.solve import solution

HELD_OUT_SHARE = 0.2
"""The share of each continent's countries that only `test_unseen` asks about."""
RICH_FAMILIES = 5
"""How many families make up for those with too few questions; they are the ones with the most questions left."""
ANSWER_KINDS = ("choice", "True", "False")
Fits = Callable[[Candidate], bool]
Drawn = list[tuple[Candidate, list[str]]]
"""Candidates, each with its wrong options (none for True/False)."""


def choose_countries(count: int) -> list[str]:
    """The ``count`` most populous countries, with at least count/15 of each continent that has so many."""
    ranked, countries = world().asked, world().countries
    chosen: list[str] = []
    for continent in CONTINENTS.values():
        chosen += [name for name in ranked if countries[name].continent == continent][: count // 15]
    rest = [name for name in ranked if name not in chosen]
    chosen += rest[: count - len(chosen)]
    return [name for name in ranked if name in chosen]


def hold_out(chosen: list[str], rng: Random) -> tuple[Region, Region]:
    """(region of training, region of test_unseen): a fifth of each continent is held out.

    In test_unseen, the neighbour of a held-out country can be any country that training does not use.
    """
    held: list[str] = []
    for continent in CONTINENTS.values():
        members = [name for name in chosen if world().countries[name].continent == continent]
        share = max(round(HELD_OUT_SHARE * len(members)), len(members) >= 3)
        held += rng.sample(members, share)
    trained = tuple(name for name in chosen if name not in held)
    unseen = tuple(name for name in chosen if name in held)
    beyond = tuple(name for name in world().asked if name not in trained)
    return Region(trained, trained, repeats=True), Region(unseen, beyond, repeats=False)


def quotas(size: int) -> dict[Cell, int]:
    """How many questions each cell gets: half are multiple choice, a quarter True, a quarter False.

    All families get equal parts.
    """
    choice = size // 2
    sizes = dict(zip(ANSWER_KINDS, (choice, (size - choice) // 2, -(-(size - choice) // 2)), strict=True))
    shares = {(family, kind): sizes[kind] // len(FAMILIES) for kind in sizes for family in FAMILIES}
    families, turn = list(FAMILIES), 0
    for kind, total in sizes.items():
        for _ in range(total % len(FAMILIES)):
            shares[families[turn % len(families)], kind] += 1
            turn += 1
    return shares


class Drawer:
    """Draws questions about one region, each at most once."""

    def __init__(self, region: Region, rng: Random) -> None:
        self._region, self._rng = region, rng
        self._pool = candidates(region, rng)

    def draw(self, split: str, size: int, advice: str, fits: Fits = lambda _: True, reserve: float = 0) -> Drawn:
        """``size`` questions for which ``fits`` is true, by `quotas`; UserError with ``advice`` for too few.

        Questions with new facts are drawn first. Training then recalls as many facts as possible, and
        other questions about them are left for the tests. A family may get only half of its quota (a few
        countries have few borders); the families with the most questions left make up for it. ``reserve`` is the
        share of each cell that is kept for later splits.
        """
        drawn: Drawn = []
        missing = dict.fromkeys(ANSWER_KINDS, 0)
        for (family, kind), share in quotas(size).items():
            spare = int(len(self._pool[family, kind]) * (1 - reserve))
            new = self._take((family, kind), min(share, spare), drawn, fits)
            if 2 * len(new) + 1 < share:
                raise UserError(
                    f"atlas: {split} of {size} needs {share} {kind} questions of the family '{family}', "
                    f"but the facts allow only {len(new)}; {advice}"
                )
            missing[kind] += share - len(new)
            drawn += new
        for kind in ANSWER_KINDS:
            richest = sorted(FAMILIES, key=lambda family: -len(self._pool[family, kind]))[:RICH_FAMILIES]
            for number, family in enumerate(richest):
                new = self._take((family, kind), -(-missing[kind] // (len(richest) - number)), drawn, fits)
                missing[kind] -= len(new)
                drawn += new
        if any(missing.values()):
            raise UserError(f"atlas: {split} of {size} lacks {sum(missing.values())} questions; {advice}")
        self._rng.shuffle(drawn)
        return drawn

    def _take(self, cell: Cell, count: int, drawn: Drawn, fits: Fits) -> Drawn:
        """Remove up to ``count`` candidates that fit from the pool of a cell, and return them."""
        taken: Drawn = []
        left: list[Candidate] = []
        for candidate in _new_facts_first(self._pool[cell], facts_in(drawn)):
            wrong = None
            if len(taken) < count and fits(candidate):
                is_choice = cell[1] == "choice"
                wrong = wrong_options(candidate, self._region, self._rng) if is_choice else []
            if wrong is None:
                left.append(candidate)
            else:
                taken.append((candidate, wrong))
        self._pool[cell] = left
        return taken


def _new_facts_first(pool: list[Candidate], seen: set[Fact]) -> list[Candidate]:
    """The same candidates; those whose facts are all in ``seen``, or in candidates before them, go last."""
    first: list[Candidate] = []
    last: list[Candidate] = []
    for candidate in pool:
        (last if seen.issuperset(candidate.facts) else first).append(candidate)
        seen.update(candidate.facts)
    return first + last


def facts_in(drawn: Iterable[tuple[Candidate, list[str]]]) -> set[Fact]:
    """All facts that answer these questions."""
    return {fact for candidate, _ in drawn for fact in candidate.facts}


def worded(split: str, drawn: Drawn, rng: Random) -> list[Solution]:
    """The questions in words; each letter is equally often the right one."""
    choices = sum(bool(wrong) for _, wrong in drawn)
    letters = list((LETTERS * (choices // 4 + 1))[:choices])
    rng.shuffle(letters)
    return [
        solution(candidate, wrong, letters.pop() if wrong else "", split, number, rng)
        for number, (candidate, wrong) in enumerate(drawn)
    ]
