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
ANSWER_KINDS = ("choice", "True", "False")
Drawn = list[tuple[Candidate, list[str]]]
"""Candidates with their wrong options (none for True/False)."""


def choose_countries(count: int) -> list[str]:
    """The ``count`` most populous countries, but at least count/15 of each continent, as far as there are."""
    ranked, countries = world().asked, world().countries
    chosen: list[str] = []
    for continent in CONTINENTS.values():
        chosen += [name for name in ranked if countries[name].continent == continent][: count // 15]
    rest = [name for name in ranked if name not in chosen]
    chosen += rest[: count - len(chosen)]
    return [name for name in ranked if name in chosen]


def hold_out(chosen: list[str], rng: Random) -> tuple[Region, Region]:
    """(region of training, region of test_unseen): a fifth of each continent is held out.

    Beyond a border of a held-out country may lie any country that training does not know.
    """
    held: list[str] = []
    for continent in CONTINENTS.values():
        members = [name for name in chosen if world().countries[name].continent == continent]
        share = max(round(HELD_OUT_SHARE * len(members)), len(members) >= 3)
        held += rng.sample(members, share)
    trained = tuple(name for name in chosen if name not in held)
    unseen = tuple(name for name in chosen if name in held)
    beyond = tuple(name for name in world().asked if name not in trained)
    return Region(trained, trained), Region(unseen, beyond)


def quotas(size: int) -> dict[Cell, int]:
    """How many questions of each cell: half are choices, a quarter True, a quarter False; families even."""
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

    def draw(self, split: str, size: int, advice: str, fits: Callable[[Candidate], bool] = lambda _: True) -> Drawn:
        """``size`` questions that fit, by quota; UserError with the advice where there are too few."""
        drawn: Drawn = []
        for (family, kind), share in quotas(size).items():
            found: Drawn = []
            left: list[Candidate] = []
            for candidate in self._pool[family, kind]:
                wrong = None
                if len(found) < share and fits(candidate):
                    wrong = wrong_options(candidate, self._region, self._rng) if kind == "choice" else []
                if wrong is None:
                    left.append(candidate)
                else:
                    found.append((candidate, wrong))
            if len(found) < share:
                raise UserError(
                    f"atlas: {split} of {size} needs {share} {kind} questions of the family '{family}', "
                    f"but the facts allow only {len(found)}; {advice}"
                )
            self._pool[family, kind] = left
            drawn += found
        self._rng.shuffle(drawn)
        return drawn


def facts_in(drawn: Iterable[tuple[Candidate, list[str]]]) -> set[Fact]:
    """All facts that answer these questions."""
    return {fact for candidate, _ in drawn for fact in candidate.facts}


def worded(split: str, drawn: Drawn, rng: Random) -> list[Solution]:
    """The questions in words, every letter equally often right."""
    choices = sum(bool(wrong) for _, wrong in drawn)
    letters = list((LETTERS * (choices // 4 + 1))[:choices])
    rng.shuffle(letters)
    return [
        solution(candidate, wrong, letters.pop() if wrong else "", split, number, rng)
        for number, (candidate, wrong) in enumerate(drawn)
    ]
