"""Solutions that are right, damaged in one place: the judge finds that place, its cause, and nothing else.

What follows from changed facts is found here by a second, simpler reading of each predicate, so that the judge is not
checked against itself.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from memreason.records import MEMORY, REASON, Judgement, Question, Solution, Step, Trace
from memreason.tasks.atlas import build, judge, templates
from memreason.tasks.atlas.claims import FAMILIES, KINDS, LETTERS, MORE, Predicate, Rule
from memreason.tasks.atlas.facts import NUMBERS, Fact, spoken, world
from memreason.tasks.atlas.wording import read_memory, read_question, say, write_memory, write_reason

OTHERS = {
    "city": ("Lima", "Oslo", "Suva"),
    "continent": ("Asia", "Europe", "Africa", "Oceania"),
    "currency": ("yen", "zloty", "peso"),
    "language": ("Greek", "Thai", "Spanish"),
    "hemisphere": ("north", "south"),
    "number": ("70", "4000000000"),
}
"""Values that can take the place of a true one."""


@dataclass
class Case:
    """A damaged solution, and what a judge should find: the truth of its steps and answer line, and the cause."""

    what: str
    question: Question
    steps: tuple[Step, ...]
    answer: str
    truth: tuple[bool | None, ...]
    cause: str | None
    grounds: str | None = None

    def judged(self, types: Sequence[str] = ()) -> Judgement:
        steps = tuple(Step(type_, step.text) for type_, step in zip(types, self.steps, strict=False)) or self.steps
        return judge(Trace(self.question, "", steps, self.answer, True, False))


@cache
def solutions() -> list[Solution]:
    """In every family, True/False and multiple choice; all wordings of steps occur."""
    return [s for split in build(num_train=140, num_validation=10, num_test=20).splits.values() for s in split]


def answers(question: Question) -> list[str]:
    return list(LETTERS[: len(question.options)]) if question.options else ["True", "False"]


def stated(solution: Solution) -> list[Fact]:
    facts = [read_memory(step.text) for step in solution.steps[:-1]]
    assert all(facts)
    return facts


def follows(question: Question, facts: list[Fact]) -> str | None:
    """The answer that the facts give, worked out the long way round."""
    asked = read_question(question)
    values = {(fact.relation, fact.subject): fact.value for fact in facts}

    def holds(left: str, right: str) -> bool | None:
        def both(relation: str):
            return values.get((relation, left)), values.get((relation, right))

        match asked.claim.predicate:
            case Predicate.BORDER | Predicate.NO_BORDER as predicate:
                value = values.get(("border", " / ".join(sorted((left, right)))))
                return value and value == ("yes" if predicate == Predicate.BORDER else "no")
            case Predicate.SAME_CONTINENT | Predicate.SAME_HEMISPHERE as predicate:
                pair = both(predicate.removeprefix("same_"))
                return None if None in pair else pair[0] == pair[1]
            case Predicate.MORE_AREA | Predicate.MORE_PEOPLE as predicate:
                pair = both(MORE[predicate])
                return None if None in pair else int(pair[0]) > int(pair[1])
            case Predicate.CAPITAL_CONTINENT:
                homes = [
                    country for (relation, country), city in values.items() if (relation, city) == ("capital", left)
                ]
                value = values.get(("continent", homes[0])) if homes else None
                return value and value == right
            case predicate:
                value = values.get((str(predicate), left))
                if value and KINDS[predicate][1] == "number":
                    return abs(int(value) - int(right)) <= 0.16 * int(right)
                return value and value == right

    left, right = asked.claim.left, asked.claim.right
    if not question.options:
        found = holds(left, right)
        return None if found is None else str(found)
    fitting = [
        letter
        for letter, option in zip(LETTERS, asked.options, strict=True)
        if holds(option if left == "?" else left, option if right == "?" else right)
    ]
    return fitting[0] if len(fitting) == 1 else None


def inference(rng: Random, question: Question, facts: list[Fact], answer: str) -> Step:
    """A valid inference of the answer that follows from the facts."""
    claim = read_question(question).claim
    values = [fact.value for fact in facts]
    if claim.predicate in MORE:
        text = write_reason(rng, Rule.COMPARE, answer, *(say("number", n) for n in sorted(values, key=int)[::-1]))
    elif question.options:
        text = write_reason(rng, Rule.OPTION, answer, question.options[LETTERS.index(answer)])
    elif claim.predicate in (Predicate.BORDER, Predicate.NO_BORDER):
        text = write_reason(rng, Rule.TOUCH if values == ["yes"] else Rule.APART, answer)
    elif claim.predicate in (Predicate.SAME_CONTINENT, Predicate.SAME_HEMISPHERE):
        text = write_reason(rng, Rule.BOTH if values[0] == values[1] else Rule.DIFFER, answer, *values)
    else:
        same = values[-1] == claim.right
        text = write_reason(rng, Rule.MATCH if same else Rule.DIFFER, answer, values[-1], claim.right)
    return Step(REASON, text)


def concluding(step: Step, gold: str, answer: str) -> Step:
    """The inference with another conclusion."""
    old, new = (text if text in LETTERS else text.lower() for text in (gold, answer))
    at = [found.start() for found in re.finditer(rf"\b{old}\b", step.text)][-1]
    return replace(step, text=step.text[:at] + new + step.text[at + len(old) :])


def other_values(fact: Fact) -> list[str]:
    if fact.relation == "border":
        return ["no" if fact.value == "yes" else "yes"]
    others = OTHERS[KINDS[Predicate(fact.relation)][1]]
    return [value for value in others if world().is_true(fact._replace(value=value)) is False]


def wrong_conclusions(solution: Solution, rng: Random) -> Iterator[Case]:
    """The inference says otherwise, and so does the answer line; or the answer line alone does."""
    question, (*memories, reason) = solution.question, solution.steps
    true = (True,) * len(memories)
    yield Case("untouched", question, solution.steps, question.answer, (*true, True, True), None, "sound")
    for wrong in answers(question):
        if wrong != question.answer:
            steps = (*memories, concluding(reason, question.answer, wrong))
            yield Case("inference", question, steps, wrong, (*true, False, True), "wrong_inference")
            yield Case("answer line", question, solution.steps, wrong, (*true, True, False), "answer_slip")
            yield Case("both cancel", question, steps, question.answer, (*true, False, False), None, "lucky")


def spoilt_memories(solution: Solution, rng: Random) -> Iterator[Case]:
    """A memory is dropped, cannot be read, or a true one about something else stands in its place."""
    question, (*memories, reason) = solution.question, solution.steps
    wrong = rng.choice([answer for answer in answers(question) if answer != question.answer])
    led = concluding(reason, question.answer, wrong)
    country = next(name for name in ("Iceland", "Cuba") if name not in str(solution))
    irrelevant = Step(MEMORY, write_memory(rng, Fact("currency", country, world().countries[country].currency)))
    for at in range(len(memories)):
        others = (True,) * (len(memories) - 1)
        rest = (*memories[:at], *memories[at + 1 :])
        yield Case("dropped", question, (*rest, led), wrong, (*others, False, True), "missing_memory")
        yield Case("dropped, right", question, (*rest, reason), question.answer, (*others, False, True), None, "lucky")
        steps = (*memories[:at], irrelevant, *memories[at + 1 :], led)
        yield Case("irrelevant", question, steps, wrong, (*others, True, False, True), "missing_memory")
        garbled = Step(MEMORY, memories[at].text[::-1])
        truth = tuple(None if number == at else True for number in range(len(memories)))
        steps = (*memories[:at], garbled, *memories[at + 1 :], led)
        yield Case("garbled", question, steps, wrong, (*truth, None, True), "unreadable")
    steps, true = (*memories, Step(REASON, reason.text[::-1])), (True,) * len(memories)
    yield Case("garbled inference", question, steps, wrong, (*true, None, None), "unreadable")
    yield Case("garbled inference, right", question, steps, question.answer, (*true, None, None), None, "unreadable")
    steps = (Step(MEMORY, reason.text[::-1]), *memories, led)
    yield Case("harmless garble", question, steps, wrong, (None, *true, False, True), "wrong_inference")


def false_memories(solution: Solution, rng: Random) -> Iterator[Case]:
    """A memory with another value, and then each possible conclusion."""
    question, (*memories, reason) = solution.question, solution.steps
    facts, gold = stated(solution), question.answer
    for at, fact in enumerate(facts):
        for value in other_values(fact):
            changed = [fact._replace(value=value) if number == at else each for number, each in enumerate(facts)]
            text = write_memory(rng, changed[at], read_question(question).claim.left)
            led = follows(question, changed)
            truth = tuple(number != at for number in range(len(facts)))
            for answer in answers(question):
                valid = answer == led
                step = inference(rng, question, changed, answer) if valid else concluding(reason, gold, answer)
                if answer == gold:
                    cause = None
                elif led is None:
                    cause = "missing_memory"
                elif valid:
                    cause = "false_memory"
                else:
                    cause = "wrong_inference" if led == gold else "both"
                steps = (*memories[:at], Step(MEMORY, text), *memories[at + 1 :], step)
                grounds = None if cause else "lucky"
                yield Case("false", question, steps, answer, (*truth, valid, True), cause, grounds)


@cache
def cases() -> list[Case]:
    rng = Random(0)
    makers = (wrong_conclusions, spoilt_memories, false_memories)
    return [case for solution in solutions() for maker in makers for case in maker(solution, rng)]


def test_the_cases_are_many_and_of_every_kind():
    assert len(cases()) >= 3000
    asked = Counter(
        (case.question.id.rsplit("-", 1)[0].split("-", 2)[2], bool(case.question.options)) for case in cases()
    )
    assert set(asked) == {(family, choice) for family in FAMILIES for choice in (True, False)}
    assert {case.cause for case in cases()} == {
        None, "unreadable", "missing_memory", "answer_slip", "false_memory", "wrong_inference", "both"
    }  # fmt: skip
    written = {step.text for case in cases() for step in case.steps}
    for table in (templates.MEMORIES, templates.REASONS):
        for form in (form for forms in table.values() for form in forms):
            slots = re.sub(r"\\\{\w+\\\}", ".+", re.escape(form))
            assert any(re.fullmatch(slots, text, re.IGNORECASE) for text in written), f"no case says {form!r}"


def test_each_damage_is_found_with_its_cause_and_nothing_else_and_types_change_nothing():
    rng = Random(0)
    for case in cases():
        found = case.judged()
        assert (found.step_truth, found.cause, found.grounds) == (case.truth, case.cause, case.grounds), case
        assert case.judged([rng.choice((MEMORY, REASON, "step", "step_3")) for _ in case.steps]) == found, case


def test_numbers_that_are_just_true_lead_to_the_right_answer():
    for solution in solutions():
        facts = stated(solution)
        if facts[0].relation in NUMBERS:
            for low, high in ((0.901, 1.099), (1.099, 0.901)):
                memories = []
                for fact, factor in zip(facts, (low, high), strict=False):
                    exact = getattr(world().countries[fact.subject], fact.relation)
                    number = round(factor * exact)
                    memories.append(
                        Step(MEMORY, write_memory(Random(0), fact).replace(spoken(fact.value), str(number)))
                    )
                steps = (*memories, Step(REASON, f"So the answer is {solution.question.answer}."))
                found = judge(Trace(solution.question, "", steps, solution.question.answer, True, False))
                assert found.grounds == "sound", steps


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_mixture_of_steps_has_the_cause_of_the_definitions(data):
    solution = data.draw(st.sampled_from(solutions()))
    question, facts = solution.question, stated(solution)
    pool = {"Qx zz.": None}
    for fact in facts:
        for each in (fact, *(fact._replace(value=value) for value in other_values(fact))):
            pool[write_memory(Random(0), each)] = each
    pool |= {f"So the answer is {answer}.": answer for answer in answers(question)}
    texts = data.draw(st.lists(st.sampled_from(sorted(pool)), max_size=6))
    answer = data.draw(st.sampled_from(answers(question)))
    said = [pool[text] for text in texts]

    led = follows(question, [each for each in said if isinstance(each, Fact)])
    conclusions = [at for at, each in enumerate(said) if isinstance(each, str)]
    concluded = said[conclusions[-1]] if conclusions else None
    blocked = None in said and (not led or not concluded)
    if answer == question.answer:
        expected = None
    elif blocked or (answer != (concluded or answer) and None in said[conclusions[-1] :]):
        expected = "unreadable"
    elif not led:
        expected = "missing_memory"
    elif concluded and answer != concluded:
        expected = "answer_slip"
    elif answer == led:
        expected = "false_memory"
    else:
        expected = "wrong_inference" if led == question.answer else "both"
    steps = tuple(Step("step", text) for text in texts)
    found = judge(Trace(question, "", steps, answer, True, False))
    assert found.cause == expected
    assert found.kinds == tuple({Fact: MEMORY, str: REASON}.get(type(each)) for each in said)
