"""Which questions go where: countries held out, sizes of the parts, what counts as seen."""

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
RICH_FAMILIES = 5
"""Among how many families the questions are shared out that a poor one lacks."""
ANSWER_KINDS = ("choice", "True", "False")
Fits = Callable[[Candidate], bool]
Drawn = list[tuple[Candidate, list[str]]]
"""Candidates with their wrong options (none for True/False)."""


def choose_countries(count: int) -> list[str]:
    """The ``count`` most populous countries, but at least count/15 of each continent where it has so many."""
    ranked, countries = world().asked, world().countries
    chosen: list[str] = []
    for continent in CONTINENTS.values():
        chosen += [name for name in ranked if countries[name].continent == continent][: count // 15]
    rest = [name for name in ranked if name not in chosen]
    chosen += rest[: count - len(chosen)]
    return [name for name in ranked if name in chosen]


def hold_out(chosen: list[str], rng: Random) -> tuple[Region, Region]:
    """(region of training, region of test_unseen): a fifth of each continent is held out.

    The neighbours of a held-out country may be any countries that training does not know.
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
    """How many questions of each cell: half are choices, a quarter True, a quarter False; families in equal parts."""
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
    """Draws questions of one region, each once."""

    def __init__(self, region: Region, rng: Random) -> None:
        self._region, self._rng = region, rng
        self._pool = candidates(region, rng)

    def draw(self, split: str, size: int, advice: str, fits: Fits = lambda _: True, reserve: float = 0) -> Drawn:
        """``size`` questions that fit, by quota; UserError with the advice where there are too few.

        Those that bring new facts go first: training then recalls as many facts as it can, and
        leaves other questions about them to the tests. A family may fall short by half its quota
        (few countries have few borders); those with most left make up for it. ``reserve`` is the
        share of each cell that is left over for later splits.
        """
        drawn: Drawn = []
        missing = dict.fromkeys(ANSWER_KINDS, 0)
        for (family, kind), share in quotas(size).items():
            spare = int(len(self._pool[family, kind]) * (1 - reserve))
            found = self._take((family, kind), min(share, spare), drawn, fits)
            if 2 * len(found) + 1 < share:
                raise UserError(
                    f"atlas: {split} of {size} needs {share} {kind} questions of the family '{family}', "
                    f"but the facts allow only {len(found)}; {advice}"
                )
            missing[kind] += share - len(found)
            drawn += found
        for kind in ANSWER_KINDS:
            richest = sorted(FAMILIES, key=lambda family: -len(self._pool[family, kind]))[:RICH_FAMILIES]
            for number, family in enumerate(richest):
                found = self._take((family, kind), -(-missing[kind] // (len(richest) - number)), drawn, fits)
                missing[kind] -= len(found)
                drawn += found
        if any(missing.values()):
            raise UserError(f"atlas: {split} of {size} lacks {sum(missing.values())} questions; {advice}")
        self._rng.shuffle(drawn)
        return drawn

    def _take(self, cell: Cell, count: int, drawn: Drawn, fits: Fits) -> Drawn:
        """Up to ``count`` more candidates of a cell, which leave its pool."""
        found: Drawn = []
        left: list[Candidate] = []
        for candidate in _new_facts_first(self._pool[cell], facts_in(drawn)):
            wrong = None
            if len(found) < count and fits(candidate):
                is_choice = cell[1] == "choice"
                wrong = wrong_options(candidate, self._region, self._rng) if is_choice else []
            if wrong is None:
                left.append(candidate)
            else:
                found.append((candidate, wrong))
        self._pool[cell] = left
        return found


def _new_facts_first(pool: list[Candidate], seen: set[Fact]) -> list[Candidate]:
    """The same candidates; those whose facts were all seen in ``seen`` or before them go last."""
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
    """The questions in words; each letter is the right one equally often."""
    choices = sum(bool(wrong) for _, wrong in drawn)
    letters = list((LETTERS * (choices // 4 + 1))[:choices])
    rng.shuffle(letters)
    return [
        solution(candidate, wrong, letters.pop() if wrong else "", split, number, rng)
        for number, (candidate, wrong) in enumerate(drawn)
    ]
