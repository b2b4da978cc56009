"""Changing the facts that a trace states: true ones for false ones, false for true, other words, and what follows.

Facts are changed in the steps that state facts and conclude nothing, whatever their type. A step keeps its type, and
its wording where it is one of the dataset's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, islice, product
from random import Random

from memreason.records import MEMORY, Question, Solution, Step, Trace
from memreason.tasks.atlas.claims import KINDS, MORE, OPEN, Asked, Conclusion, Predicate
from memreason.tasks.atlas.facts import NUMBERS, Fact, number, rounded, spoken, world
from memreason.tasks.atlas.judge import Stated, facts_of
from memreason.tasks.atlas.names import CONTINENTS, fold
from memreason.tasks.atlas.solve import write_conclusion
from memreason.tasks.atlas.wording import memory_wordings, read_question, read_step
from memreason.tasks.base import Changes

_OTHERS = 4
"""How many values that the question does not name are tried as a false value."""
_MOST_TRIES = 500
"""So many ways are tried to make the facts of a trace false, since one with many facts has more than that; and so
many facts as one about something else, since a trace that names nearly all countries leaves none."""
_DISTRACTORS = ("continent", "capital", "currency", "language")


class AtlasRewriter:
    """The `Rewriter` of atlas."""

    def memories(self, trace: Trace) -> list[int]:
        """The steps that state facts, and conclude nothing."""
        return [i for i, step in enumerate(trace.steps) if (said := read_step(step.text)) and said.kind == MEMORY]

    def corrected(self, trace: Trace, solution: Solution) -> Changes:
        """The true value for every false one, in the step's own wording, and what is missing from the ``solution``."""
        memories = self.memories(trace)
        edits: dict[int, Step | None] = {}
        for at in memories:
            facts = facts_of([trace.steps[at]])
            true = [_true(fact) for fact in facts]
            if true != facts:
                edits[at] = Step(trace.steps[at].type, _written(trace.steps[at].text, facts, true))
        known = [edits.get(at) or trace.steps[at] for at in memories]
        missing: list[Step] = []
        if self.follows(trace.question, known) is None:
            stated = facts_of(known)
            gold = [step for step in solution.steps if step.type == MEMORY]
            missing = [Step(_type(trace, memories), step.text) for step in gold if facts_of([step])[0] not in stated]
        return Changes(_with_the_others(trace, memories, edits), {_behind(memories): missing} if missing else {})

    def corrupted(self, trace: Trace) -> Changes | str:
        """Another value of its kind for each true one, chosen so that the rule then concludes something else. Where it
        concludes nothing from such values, as many facts as possible are changed; where it never does, all of them."""
        memories = self.memories(trace)
        single = [(at, facts[0]) for at in memories if len(facts := facts_of([trace.steps[at]])) == 1]
        true = [(at, fact) for at, fact in single if world().is_true(fact)]
        values = [_false_values(fact, trace.question, [other for _, other in single]) for _, fact in true]
        true, values = [t for t, v in zip(true, values, strict=True) if v], [v for v in values if v]
        if not true:
            return "no step states a fact that is true"
        steps = [trace.steps[at] for at in memories]
        before = self.follows(trace.question, steps) or trace.question.answer
        first: dict[int, Step | None] = {}
        for edits in islice(_combinations(trace, true, values), _MOST_TRIES):
            first = first or edits
            known = [edits.get(at) or trace.steps[at] for at in memories]
            if self.follows(trace.question, known) not in (None, before):
                return Changes(_with_the_others(trace, memories, edits))
        return Changes(_with_the_others(trace, memories, first))

    def paraphrased(self, trace: Trace) -> Changes | str:
        """Another of the dataset's wordings for each fact."""
        memories = self.memories(trace)
        edits: dict[int, Step | None] = {}
        for at in memories:
            step = trace.steps[at]
            facts = facts_of([step])
            if len(facts) == 1 and _sayable(facts[0]):
                ways = [way for way in _wordings(step.text, facts[0]) if fold(way) != fold(step.text)]
                edits[at] = Step(step.type, Random(f"{trace.question.id} {at}").choice(ways))
        if not edits:
            return "no step states a fact in words that are known"
        return Changes(_with_the_others(trace, memories, edits))

    def irrelevant(self, trace: Trace) -> Changes | str:
        """A true fact about a country that neither the question nor the trace names, and with a value that is not named
        there either, behind the last memory."""
        text = f" {fold(' '.join([trace.question.text, *trace.question.options, *(s.text for s in trace.steps)]))} "
        draw = Random(trace.question.id)
        memories = self.memories(trace)
        for _ in range(_MOST_TRIES):
            relation, subject = draw.choice(_DISTRACTORS), draw.choice(world().asked[:60])
            value = world().lookup(relation, subject)
            if value and fold(subject) not in text and fold(value) not in text:
                new = draw.choice(memory_wordings(Fact(relation, subject, value)))
                return Changes(insert={_behind(memories): [Step(_type(trace, memories), new)]})
        return "no country was found that the trace does not name"

    def follows(self, question: Question, steps: Sequence[Step]) -> str | None:
        """The answer that the rule gives from the facts that the steps state; None where they do not decide."""
        found = _conclusion(question, steps)
        return found[1].answer if found else None

    def inference(self, question: Question, steps: Sequence[Step]) -> str | None:
        """A reason step that draws the conclusion of `follows`."""
        found = _conclusion(question, steps)
        if found is None:
            return None
        asked, (answer, reading) = found
        predicate = asked.claim.predicate
        if predicate in MORE and reading.values[0] == reading.values[1]:
            return None  # no sentence says that two numbers are equal
        return write_conclusion(Random(question.id), predicate, reading, question, answer)


def _conclusion(question: Question, steps: Sequence[Step]) -> tuple[Asked, Conclusion] | None:
    asked = read_question(question)
    found = Stated(facts_of(steps)).conclude(asked) if asked else None
    return (asked, found) if asked and found else None


def _behind(memories: Sequence[int]) -> int:
    """The place behind the last memory."""
    return memories[-1] + 1 if memories else 0


def _with_the_others(trace: Trace, memories: Sequence[int], edits: dict[int, Step | None]) -> dict[int, Step | None]:
    """The edits, and the other memories as they are: else the model would recall those behind the last edit anew."""
    return {at: edits.get(at, trace.steps[at]) for at in memories} if edits else {}


def _type(trace: Trace, memories: Sequence[int]) -> str:
    """The type of a new memory: that of the last, or `memory`."""
    return trace.steps[memories[-1]].type if memories else MEMORY


def _with(fact: Fact, value: str) -> Fact:
    return Fact(fact.relation, fact.subject, value)


def _true(fact: Fact) -> Fact:
    value = world().lookup(fact.relation, fact.subject)
    return _with(fact, value) if value and world().is_true(fact) is False else fact


# ---- wording ---------------------------------------------------------------------------------------


def _wordings(text: str, fact: Fact) -> list[str]:
    """All wordings of a fact; that of a border names first the country that ``text`` names first."""
    if fact.relation != "border":
        return memory_wordings(fact)
    one, other = fact.subject.split(" / ")
    at = [fold(text).find(fold(name)) for name in (one, other)]
    return memory_wordings(fact, one if at[0] <= at[1] else other)


def _written(text: str, old: Sequence[Fact], new: Sequence[Fact]) -> str:
    """``text``, which states the ``old`` facts, with the ``new`` ones instead, in the same words if it has one fact."""
    ways = [_wordings(text, fact) for fact in new]
    if len(old) > 1:
        return " ".join(way[0] for way in ways)
    own = [fold(way) for way in _wordings(text, old[0])]
    return ways[0][own.index(fold(text)) if fold(text) in own else 0]


def _sayable(fact: Fact) -> bool:
    """Whether a wording says exactly the value of the fact; a number with many digits would be rounded."""
    return fact.relation not in NUMBERS or number(spoken(fact.value)) == fact.value


# ---- false values ----------------------------------------------------------------------------------


def _combinations(
    trace: Trace, true: Sequence[tuple[int, Fact]], values: Sequence[Sequence[str]]
) -> Iterator[dict[int, Step | None]]:
    """Edits that make true facts false: first those that change all of them, then those that change fewer."""
    for size in range(len(true), 0, -1):
        for chosen in combinations(range(len(true)), size):
            for some in product(*(values[i] for i in chosen)):
                edits: dict[int, Step | None] = {}
                for i, value in zip(chosen, some, strict=True):
                    at, fact = true[i]
                    step = trace.steps[at]
                    edits[at] = Step(step.type, _written(step.text, [fact], [_with(fact, value)]))
                yield edits


def _false_values(fact: Fact, question: Question, others: Sequence[Fact]) -> list[str]:
    """False values of the kind of the fact's, those that the question names first."""
    draw = Random(f"{question.id} {fact.relation} {fact.subject}")
    kind = "border" if fact.relation == "border" else KINDS[Predicate(fact.relation)][1]
    ideas = [*_named(question, kind), *_ideas(fact, others, draw)]
    country = world().countries.get(fact.subject)
    unfair = {fold(language) for language in country.languages} if country and kind == "language" else set()
    distinct = dict.fromkeys(idea for idea in ideas if fold(idea) not in unfair)
    return [value for value in distinct if world().is_true(_with(fact, value)) is False]


def _named(question: Question, kind: str) -> list[str]:
    """The names of this kind that the question and its options hold."""
    asked = read_question(question)
    if asked is None:
        return []
    claim = asked.claim
    kinds = dict(zip(("left", "right"), KINDS[claim.predicate], strict=True))
    open_kind = kinds["left" if claim.left == OPEN else "right"]
    sides = [(kinds["left"], claim.left), (kinds["right"], claim.right), *((open_kind, name) for name in asked.options)]
    return [name for of, name in sides if of == kind and name and name != OPEN]


def _ideas(fact: Fact, others: Sequence[Fact], draw: Random) -> list[str]:
    """Values of the kind of the fact's, true or false."""
    table = world()
    if fact.relation == "border":
        return ["yes", "no"]
    if fact.relation == "hemisphere":
        return ["north", "south"]
    if fact.relation in (Predicate.CONTINENT, Predicate.CAPITAL_CONTINENT):
        continents = sorted(CONTINENTS.values())
        return draw.sample(continents, len(continents))
    if fact.relation in NUMBERS:
        sizes = [int(fact.value), *(int(other.value) for other in others if other.relation == fact.relation)]
        return [rounded(round(size * factor)) for size in sizes for factor in (3, 1 / 3, 10, 0.1)]
    names = draw.sample(table.asked[:60], _OTHERS)
    values = [table.lookup(fact.relation, name) for name in names]
    cities = table.countries[fact.subject].cities if fact.relation == "capital" else ()
    return [*cities, *(value for value in values if value)]
