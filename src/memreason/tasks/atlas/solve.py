"""Turning a candidate into a question with its solution: options, words and steps."""

from __future__ import annotations

from random import Random

from memreason.records import MEMORY, REASON, Question, Solution, Step
from memreason.tasks.atlas.claims import BORDER, KINDS, LETTERS, MORE, SHARED, Predicate, Reading, Rule, read
from memreason.tasks.atlas.facts import world
from memreason.tasks.atlas.pool import Candidate
from memreason.tasks.atlas.wording import say, write_memory, write_option, write_question, write_reason


def solution(candidate: Candidate, wrong: list[str], letter: str, split: str, number: int, rng: Random) -> Solution:
    """The candidate as a question and its solution, in words.

    ``wrong`` are the wrong options and ``letter`` is that of the right one; both are empty for a True/False question.
    ``split`` and ``number`` go into the id.
    """
    reading = read(candidate.claim, world().lookup)
    assert reading is not None
    options: tuple[str, ...] = ()
    answer = str(reading.holds)
    predicate = candidate.claim.predicate
    if candidate.open_side:
        names = list(wrong)
        names.insert(LETTERS.index(letter), candidate.correct)
        kind = KINDS[predicate][candidate.open_side == "right"]
        options, answer = tuple(write_option(predicate, kind, name) for name in names), letter
    question = Question(
        id=f"atlas-{split}-{candidate.family}-{number:06d}",
        text=write_question(rng, candidate.asked),
        answer=answer,
        options=options,
        dataset="atlas",
        split=split,
    )
    first = candidate.claim.left
    memories = [Step(MEMORY, write_memory(rng, fact, first)) for fact in candidate.facts]
    return Solution(question, (*memories, Step(REASON, write_conclusion(rng, predicate, reading, question, answer))))


def write_conclusion(rng: Random, predicate: Predicate, reading: Reading, question: Question, answer: str) -> str:
    """The text of the reason step that concludes ``answer`` from the ``reading``, by the rule that fits the
    predicate."""
    stated, claimed = reading.values
    if predicate in MORE:
        high, low = sorted((stated, claimed), key=int, reverse=True)
        return write_reason(rng, Rule.COMPARE, answer, say("number", high), say("number", low))
    if question.options:
        option = question.options[LETTERS.index(answer)]
        return write_reason(rng, Rule.OPTION, answer, say("country", option))
    if predicate in BORDER:
        return write_reason(rng, Rule.TOUCH if stated == BORDER[Predicate.BORDER] else Rule.APART, answer)
    relation = SHARED.get(predicate, predicate)
    a, b = (f"the {v}" if relation in (Predicate.CURRENCY, Predicate.HEMISPHERE) else v for v in (stated, claimed))
    if stated != claimed:
        return write_reason(rng, Rule.DIFFER, answer, a, b)
    return write_reason(rng, Rule.BOTH if predicate in SHARED else Rule.MATCH, answer, a)
