"""The fact that a sentence states, in words that people read: for lists of what a model gets wrong."""

from __future__ import annotations

from memreason.tasks.atlas.claims import KINDS, Predicate
from memreason.tasks.atlas.facts import world
from memreason.tasks.atlas.names import with_article
from memreason.tasks.atlas.wording import read_memory, say
from memreason.tasks.base import StatedFact

_NAMES = {"language": "main language"}


def stated_fact(text: str) -> StatedFact | None:
    """The fact that ``text`` states, true or false; None where it states none."""
    fact = read_memory(text)
    if fact is None:
        return None
    true = world().lookup(fact.relation, fact.subject)
    if fact.relation == "border":
        one, other = map(with_article, fact.subject.split(" / "))
        return StatedFact(f"whether {one} and {other} share a border", fact.value, true)
    kind, of = KINDS[Predicate(fact.relation)]
    value, true = (name and say(of, name) for name in (fact.value, true))
    name = f"the {_NAMES.get(fact.relation, fact.relation)} of {say(kind, fact.subject)}"
    return StatedFact(name, value or "", true)
