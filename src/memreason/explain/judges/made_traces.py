"""Traces on which a judge is measured: atlas solutions in other words, some of them made false.

Each memory is false with a probability of one half, and, independently of it, half of the traces draw a conclusion that
does not follow from the facts as stated; in a quarter, the answer line is not what was concluded. The exact judge of
atlas says which steps are false. True steps are put into other words too, since a judge that compares texts would
find the labelled ones too easily.
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random

from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import MEMORY, REASON, Question, Solution, Step, Trace
from memreason.tasks import atlas
from memreason.tasks.atlas.claims import LETTERS, MORE, Asked, Conclusion, Rule
from memreason.tasks.atlas.facts import NUMBERS, Fact, rounded, world
from memreason.tasks.atlas.judge import Stated, possible_answers
from memreason.tasks.atlas.solve import write_conclusion
from memreason.tasks.atlas.wording import read_question, say, write_memory, write_reason
from memreason.tasks.base import TaskData

SEED = 13
"""Of the questions, the wording and what is made false; not one that thresholds were chosen on (11, 12)."""
COUNTRIES = 60
LAYOUT = PlanningTokens(1, 1, (MEMORY, REASON))


def made_task(n: int, seed: int = SEED) -> TaskData:
    """Atlas with ``n`` questions (at least 20, so that each family has one), all in the split test."""
    built = atlas.build(seed, num_train=max(n, 20), num_validation=0, num_test=0, num_countries=COUNTRIES)
    return TaskData("atlas", built.answer_kind, {"test": list(built.splits["train"])[:n]}, judge=built.judge)


def made_traces(task: TaskData, seed: int = SEED) -> list[Trace]:
    """One trace for each solution of a `made_task`."""
    rng = Random(seed)
    return [_trace(solution, rng) for solution in task.splits["test"]]


def made_facts(task: TaskData, seed: int = SEED) -> dict[str, bool]:
    """A table of statements for the facts of a `made_task`: for each, a true one, and one that is held false."""
    rng = Random(f"{seed} facts")  # so that the words are not those of the traces
    held: dict[str, bool] = {}
    for solution in task.splits["test"]:
        for fact in atlas.facts_of(solution.steps):
            held[write_memory(rng, fact)] = True
            held[write_memory(rng, false_fact(fact, rng))] = False
    return held


def false_fact(fact: Fact, rng: Random, named: Collection[str | None] = ()) -> Fact:
    """The fact with another value of its kind, which is not true; where it can be, one of those ``named``."""
    if fact.relation in ("border", "hemisphere"):
        pair = ("yes", "no") if fact.relation == "border" else ("north", "south")
        return Fact(fact.relation, fact.subject, pair[fact.value == pair[0]])
    if fact.relation in NUMBERS:
        values = {rounded(round(int(fact.value) * factor)) or "10" for factor in (0.2, 0.5, 2, 5)}
        fitting = {name for name in named if name and name.isdigit()}
    else:
        values = {getattr(world().countries[name], fact.relation) for name in world().asked[:COUNTRIES]} - {""}
        fitting = values.intersection(named)
    false = [Fact(fact.relation, fact.subject, value) for value in sorted(values | fitting)]
    false = [one for one in false if world().is_true(one) is False]
    return rng.choice([one for one in false if one.value in fitting] or false)


def _trace(solution: Solution, rng: Random) -> Trace:
    question, asked = solution.question, read_question(solution.question)
    assert asked is not None, question.text
    facts = [false_fact(f, rng, asked.options) if rng.random() < 0.5 else f for f in atlas.facts_of(solution.steps)]
    steps = [Step(MEMORY, write_memory(rng, fact)) for fact in facts]
    following = Stated(facts).conclude(asked)
    concluded = following.answer if following else question.answer
    if rng.random() < 0.5:
        concluded = _other(concluded, question, rng)
    steps.append(Step(REASON, _inference(question, asked, following, concluded, rng)))
    answer = _other(concluded, question, rng) if rng.random() < 0.25 else concluded
    return LAYOUT.parse(question, LAYOUT.solution_text(tuple(steps), answer), truncated=False)


def _other(answer: str, question: Question, rng: Random) -> str:
    return rng.choice([other for other in possible_answers(question) if other != answer])


def _inference(question: Question, asked: Asked, following: Conclusion | None, answer: str, rng: Random) -> str:
    """A sentence that concludes ``answer``, in the words of the rule that the question calls for."""
    predicate = asked.claim.predicate
    if following:
        return write_conclusion(rng, predicate, following.reading, question, answer)
    if question.options and predicate not in MORE:
        return write_reason(rng, Rule.OPTION, answer, say("country", question.options[LETTERS.index(answer)]))
    return write_reason(rng, Rule.MATCH, answer, "this")
