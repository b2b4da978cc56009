"""The judge: it reads a trace step by step, decides whether each memory is true and each inference valid, and finds
the cause of a wrong answer.

A step is judged by what its text says, whatever its type. A fact is looked up in the whole table. An inference is valid
if its rule gives its conclusion, applied to the question and to the facts that the trace itself stated up to there,
true or false. So a valid inference from a false memory is distinguished from an invalid one. A step that states a fact
and concludes from it ("Thailand is in Asia, so the answer is true") is an inference; it is false where the fact is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from memreason.answers.extract import extract_strict
from memreason.records import Judgement, Question, Step, Trace
from memreason.tasks.atlas.claims import (
    BORDER,
    LETTERS,
    MORE,
    SHARED,
    Asked,
    Claim,
    Conclusion,
    Predicate,
    Rule,
    conclude,
)
from memreason.tasks.atlas.facts import Fact, world
from memreason.tasks.atlas.wording import Inference, Said, plain, read_question, read_step
from memreason.tasks.causes import Findings, cause, grounds


def facts_of(steps: Iterable[Step]) -> list[Fact]:
    """The facts that the texts of the steps state, in order."""
    return [fact for step in steps if (said := read_step(step.text)) for fact in said.facts]


class Stated:
    """The facts that a trace has stated so far; of two statements about the same subject the last counts."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self._values: dict[tuple[str, str], str] = {}
        for fact in facts:
            self.add(fact)

    def __bool__(self) -> bool:
        return bool(self._values)

    def add(self, fact: Fact) -> None:
        """One more statement."""
        if fact.relation == "capital":
            former = self._values.get(("capital", fact.subject), "")
            if self._values.get(("seat", former)) == fact.subject:
                del self._values["seat", former]
            self._values["seat", fact.value] = fact.subject
        self._values[fact.relation, fact.subject] = fact.value

    def conclude(self, asked: Asked) -> Conclusion | None:
        """What follows about the question; None where the facts do not decide it."""
        return conclude(asked, lambda relation, subject: self._values.get((relation, subject)))


def judge(trace: Trace) -> Judgement:
    """Judge each step and the answer line of a trace of an atlas question. Never raises an error.

    The truth of an inference is None, not False, where the facts that it needs may be in a step that could not be read.
    That of the answer line says whether it agrees with the last inference or, where there is none, whether it follows
    from the facts; it is None where there are no facts either, and where a step that could not be read may be to blame.
    """
    question, steps = trace.question, [read_step(step.text) for step in trace.steps]
    asked = read_question(question)
    stated, truth = Stated(), list[bool | None]()
    concluded, unread_after = None, False
    for number, said in enumerate(steps):
        if said is None:
            unread_after = True
            truth.append(None)
            continue
        for fact in said.facts:
            stated.add(fact)
        truths = [world().is_true(fact) for fact in said.facts]
        if said.inference:
            truths.append(_follows(said, asked, stated, question.options, gap=None in steps[:number]))
            if said.inference.answer in possible_answers(question):
                concluded, unread_after = said.inference.answer, False
        truth.append(_all(truths))
    kinds = tuple(said.kind if said else None for said in steps)
    conclusion = stated.conclude(asked) if asked else None
    follows = conclusion.answer if conclusion else None
    answer = extract_strict(trace.answer, question, "mixed")
    if answer is None:
        return Judgement((*truth, None), None, kinds)
    if concluded:
        truth.append(answer == concluded or (None if unread_after else False))
    else:
        truth.append(None if None in steps or not asked or not stated else answer == follows)
    found = Findings(answer, question.answer, concluded, follows, None in steps, unread_after, asked is not None)
    right = answer == question.answer
    return Judgement(tuple(truth), cause(found), kinds, grounds(truth) if right else None)


def possible_answers(question: Question) -> Collection[str]:
    """The answers that the question can have."""
    return LETTERS[: len(question.options)] if question.options else ("True", "False")


def _all(truths: Sequence[bool | None]) -> bool | None:
    """False where any is, else None where any is, else True."""
    return False if False in truths else None if None in truths else True


def _follows(said: Said, asked: Asked | None, stated: Stated, options: tuple[str, ...], gap: bool) -> bool | None:
    """Whether the step's inference is valid for the question and the facts ``stated`` so far; None where that is not
    known. ``gap`` says that an earlier step could not be read.
    """
    inference = said.inference
    assert inference is not None
    if asked is None:
        return None
    conclusion = stated.conclude(asked)
    if conclusion is None:
        return None if gap else False
    if conclusion.answer != inference.answer:
        return False
    if inference.rule is None:
        return not said.facts or not set(said.facts).isdisjoint(conclusion.reading.facts)
    return _by_rule(inference, asked.claim, conclusion, options)


def _by_rule(inference: Inference, claim: Claim, conclusion: Conclusion, options: tuple[str, ...]) -> bool:
    """Whether the inference's rule gives the ``conclusion`` about the claim, from the values that it names."""
    predicate, named = claim.predicate, list(inference.values)
    values = [plain(value) for value in conclusion.reading.values]
    match inference.rule:
        case Rule.DIFFER:
            differ = predicate not in (*MORE, *BORDER) and values[0] != values[1]
            by_subject = predicate not in SHARED and named == [plain(claim.left), values[1]]
            by_value = predicate not in SHARED and named == values[:1]
            return differ and (not named or sorted(named) == sorted(values) or by_subject or by_value)
        case Rule.MATCH:
            return predicate not in (*MORE, *SHARED, *BORDER) and named == values[:1]
        case Rule.BOTH:
            return predicate in SHARED and (named or values[:1]) == values[:1]
        case Rule.COMPARE:
            return predicate in MORE and sorted(named) == sorted(values) and int(named[0]) > int(named[1])
        case Rule.OPTION:
            letter = inference.answer
            return letter in LETTERS and named == [plain(options[LETTERS.index(letter)])]
        case Rule.TOUCH:
            return predicate in BORDER and values[0] == BORDER[Predicate.BORDER]
        case Rule.APART:
            return predicate in BORDER and values[0] == BORDER[Predicate.NO_BORDER]
    return False
