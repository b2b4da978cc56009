"""The judge: it reads a trace step by step, and decides whether each memory is true and each inference valid.

A memory step is looked up in the whole table. A reason step is valid if its rule gives its conclusion, applied to the
question and to the facts that the trace itself stated before, true or false. So a valid inference from a false memory
is distinguished from an invalid inference.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from memreason.records import MEMORY, REASON, Judgement, Step, Trace
from memreason.tasks.atlas.claims import BORDER, LETTERS, MORE, SHARED, Asked, Predicate, Rule, conclude
from memreason.tasks.atlas.facts import Fact, world
from memreason.tasks.atlas.wording import (
    Inference,
    normal_answer,
    plain,
    read_memory,
    read_question,
    read_reason,
)


def facts_of(steps: Iterable[Step]) -> list[Fact]:
    """The facts that the texts of the steps state, in order; reason steps state none."""
    stated = (read_memory(step.text) for step in steps if step.type != REASON)
    return [fact for fact in stated if fact]


def judge(trace: Trace) -> Judgement:
    """Judge each step and the answer line of a trace of an atlas question. Never raises an error.

    A step that is neither `memory` nor `reason` (plain chain of thought) is read as a memory if that is
    possible, else as a reason. The truth of an inference is None, not False, where the facts that it needs may be in
    a step that could not be read.
    """
    asked = read_question(trace.question)
    stated: dict[tuple[str, str], str] = {}
    truth: list[bool | None] = []
    faults: list[Literal["false_memory", "wrong_inference"]] = []
    concluded: str | None = None
    for step in trace.steps:
        fact = read_memory(step.text) if step.type != REASON else None
        inference = read_reason(step.text) if step.type != MEMORY and not fact else None
        if fact:
            truth.append(world().is_true(fact))
            _state(stated, fact)
        elif inference:
            concluded = inference.answer
            truth.append(_follows(inference, asked, stated, trace.question.options, gap=None in truth))
        else:
            truth.append(None)
            concluded = None if step.type == REASON else concluded
        if truth[-1] is False:
            faults.append("false_memory" if fact else "wrong_inference")
    answer = normal_answer(trace.answer or "")
    truth.append(answer == concluded if answer and concluded else None)
    if truth[-1] is False:
        faults.append("wrong_inference")
    if answer == normal_answer(trace.question.answer):
        return Judgement(tuple(truth), None)
    return Judgement(tuple(truth), faults[0] if faults else "unreadable")


def _state(stated: dict[tuple[str, str], str], fact: Fact) -> None:
    stated[fact.relation, fact.subject] = fact.value
    if fact.relation == "capital":
        stated["seat", fact.value] = fact.subject


def _follows(
    inference: Inference,
    asked: Asked | None,
    stated: dict[tuple[str, str], str],
    options: tuple[str, ...],
    gap: bool,
) -> bool | None:
    """Whether the inference is valid for the question and the facts ``stated`` so far; None where that is not known.

    ``gap`` says that an earlier step could not be read.
    """
    if asked is None:
        return None
    conclusion = conclude(asked, lambda relation, subject: stated.get((relation, subject)))
    if conclusion is None:
        return None if gap else False
    if conclusion.answer != inference.answer:
        return False
    predicate, values = asked.claim.predicate, [plain(value) for value in conclusion.reading.values]
    named = list(inference.values)
    match inference.rule:
        case Rule.DIFFER:
            return predicate not in BORDER and named[0] != named[1] and sorted(named) == sorted(values)
        case Rule.MATCH:
            return predicate not in (*MORE, *SHARED, *BORDER) and named == values[:1]
        case Rule.BOTH:
            return predicate in SHARED and named == values[:1]
        case Rule.COMPARE:
            return predicate in MORE and sorted(named) == sorted(values) and int(named[0]) > int(named[1])
        case Rule.OPTION:
            letter = inference.answer
            return letter in LETTERS and named == [plain(options[LETTERS.index(letter)])]
        case Rule.TOUCH:
            return predicate in BORDER and values[0] == BORDER[Predicate.BORDER]
        case Rule.APART:
            return predicate in BORDER and values[0] == BORDER[Predicate.NO_BORDER]
