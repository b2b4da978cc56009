"""What a question is about: its family and its country. Questions that share one are not independent of each other."""

from __future__ import annotations

import re
from functools import lru_cache

from memreason.records import Question
from memreason.tasks.atlas.claims import KINDS, LETTERS, OPEN
from memreason.tasks.atlas.facts import world
from memreason.tasks.atlas.names import fold
from memreason.tasks.atlas.wording import read_question


def family_of(question: Question) -> str | None:
    """The family of an atlas question, the middle part of its id; None for questions of other datasets."""
    found = re.fullmatch(r"atlas-[^-]+-(.+)-\d+", question.id) if question.dataset == "atlas" else None
    return found[1] if found else None


def country_of(question: Question) -> str | None:
    """The country that an atlas question is about; None for a text that is no such question.

    It is the country that the question names, or that of the city that it names. Where it names two (or a city and a
    country), it is that of the claim's left side: in "Kenya borders Uganda" and "Uganda is smaller than Kenya", Kenya.
    Where it names none ("Where do people mainly speak Uzbek?"), it is the country, or that of the city, of the right
    option. A city is taken for that of the most populous country which has one of this name.
    """
    asked = read_question(question)
    if asked is None:
        return None
    claim, kinds = asked.claim, KINDS[asked.claim.predicate]
    options = dict(zip(LETTERS, asked.options, strict=False))
    right = options.get(question.answer)
    named = [(kind, name) for kind, name in zip(kinds, (claim.left, claim.right), strict=True) if name != OPEN]
    if OPEN in (claim.left, claim.right) and right:
        named.append((kinds[0] if claim.left == OPEN else kinds[1], right))
    return next((found for kind, name in named if (found := _country(kind, name))), None)


def _country(kind: str, name: str) -> str | None:
    if kind == "country":
        return name
    return _cities().get(fold(name)) if kind == "city" else None


@lru_cache(maxsize=1)
def _cities() -> dict[str, str]:
    """City, folded → its country; a capital is that of its own country, whatever else has its name."""
    table = world()
    found: dict[str, str] = {}
    for country in table.countries.values():  # the most populous first
        for city in country.cities:
            found.setdefault(fold(city), country.name)
    return found | {fold(capital): country for capital, country in table.seats.items()}
