"""The facts that a sentence states, in words that people read: for lists of what a model gets wrong."""

from __future__ import annotations

from memreason.tasks.atlas.claims import KINDS, Predicate
from memreason.tasks.atlas.facts import Fact, world
from memreason.tasks.atlas.wording import read_step, say
from memreason.tasks.base import StatedFact

_NAMES = {"language": "main language", "capital_continent": "continent"}


def stated_facts(text: str) -> list[StatedFact]:
    """The facts that ``text`` states, true or false; none where it cannot be read."""
    said = read_step(text)
    return [_in_words(fact) for fact in said.facts] if said else []


def _in_words(fact: Fact) -> StatedFact:
    true, holds = world().lookup(fact.relation, fact.subject), world().is_true(fact)
    if fact.relation == "border":
        one, other = (say("country", name) for name in fact.subject.split(" / "))
        return StatedFact(f"whether {one} and {other} share a border", fact.value, true, holds)
    kind, of = KINDS[Predicate(fact.relation)]
    name = f"the {_NAMES.get(fact.relation, fact.relation)} of {say(kind, fact.subject)}"
    return StatedFact(name, say(of, fact.value), say(of, true) if true else None, holds)
