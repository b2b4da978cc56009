"""Changing the facts in a trace: the edit is the one that its name says, for every family and wording."""

import pytest

from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import MEMORY, Question, Solution, Step, Trace
from memreason.tasks.atlas import build, judge, other_wordings, templates
from memreason.tasks.atlas.claims import KINDS, Predicate
from memreason.tasks.atlas.facts import world
from memreason.tasks.atlas.judge import facts_of
from memreason.tasks.atlas.names import fold
from memreason.tasks.atlas.rewrite import AtlasRewriter
from memreason.tasks.atlas.wording import read_question
from memreason.tasks.base import Changes

LAYOUT = PlanningTokens(1, 1, ("memory", "reason"))
REWRITER = AtlasRewriter()
ASIA = Question("q", "Is it true that France is in Asia?", "False")
BOTH = Question("q", "Is France on the same continent as Turkey?", "False")
CAPITAL = Question("q", "What is the capital of France?", "B", ("Lyon", "Paris", "Rome", "Madrid"))
TWO_HOPS = Question("q", "True or false: Paris is a capital in Asia.", "False")


@pytest.fixture(scope="module")
def solutions() -> list[Solution]:
    task = build(num_train=200, num_validation=20, num_test=40, num_countries=40)
    return [*task.splits["test_seen"], *task.splits["test_unseen"], *task.splits["validation"]]


def trace(question: Question, *texts: str, answer: str = "False") -> Trace:
    steps = tuple(Step("reason" if " so " in text or "option" in text else "memory", text) for text in texts)
    return LAYOUT.parse(question, LAYOUT.solution_text(steps, answer))


def of(solution: Solution) -> Trace:
    return LAYOUT.parse(solution.question, LAYOUT.solution_text(solution.steps, solution.question.answer))


def after(solution: Solution, changes: Changes | str) -> list[Step]:
    """The memories of the solution with the changes."""
    assert isinstance(changes, Changes)
    memories = [step for step in solution.steps if step.type == MEMORY]
    steps: list[Step] = []
    for at in range(len(memories) + 1):
        steps += changes.insert.get(at, ())
        if at < len(memories) and (new := changes.edits.get(at, memories[at])):
            steps.append(new)
    return steps


def truths(steps: list[Step], question: Question) -> list[bool | None]:
    return list(judge(LAYOUT.parse(question, LAYOUT.solution_text(tuple(steps), "True"))).step_truth[:-1])


def test_nothing_is_corrected_in_what_is_true_and_enough(solutions: list[Solution]) -> None:
    assert not any(REWRITER.corrected(of(solution), solution) for solution in solutions)


def test_corrupted_memories_are_false_and_corrected_ones_are_those_of_before(solutions: list[Solution]) -> None:
    flipped = 0
    for solution in solutions:
        memories = after(solution, Changes())
        false = after(solution, REWRITER.corrupted(of(solution)))
        assert len(false) == len(memories)
        changed = [old != new for old, new in zip(memories, false, strict=True)]
        assert any(changed) and truths(false, solution.question) == [not was for was in changed]
        was = [(fact.relation, fact.subject) for fact in facts_of(memories)]
        assert [(fact.relation, fact.subject) for fact in facts_of(false)] == was
        flipped += REWRITER.follows(solution.question, false) not in (None, solution.question.answer)
        again = Solution(solution.question, (*false, solution.steps[-1]))
        assert after(again, REWRITER.corrected(of(again), solution)) == memories
    assert flipped > len(solutions) / 2


def test_a_paraphrase_says_the_same_in_other_words(solutions: list[Solution]) -> None:
    for solution in solutions:
        memories = after(solution, Changes())
        others = after(solution, REWRITER.paraphrased(of(solution)))
        assert facts_of(others) == facts_of(memories)
        assert all(fold(old.text) != fold(new.text) for old, new in zip(memories, others, strict=True))


def test_an_irrelevant_fact_is_true_and_decides_nothing(solutions: list[Solution]) -> None:
    for solution in solutions:
        *memories, added = after(solution, REWRITER.irrelevant(of(solution)))
        assert memories == after(solution, Changes())
        assert truths([added], solution.question) == [True]
        (fact,) = facts_of([added])
        asked = read_question(solution.question)
        assert asked and fact.subject not in (asked.claim.left, asked.claim.right, *asked.options)
        assert REWRITER.follows(solution.question, [*memories, added]) == solution.question.answer
        assert REWRITER.follows(solution.question, [added]) is None


def test_no_fact_is_irrelevant_where_all_countries_are_named() -> None:
    named = trace(ASIA, *(f"{country} is a country." for country in world().asked))
    assert REWRITER.irrelevant(named) == "no country was found that the trace does not name"


def test_what_is_inferred_from_any_memories_is_valid(solutions: list[Solution]) -> None:
    written = 0
    for solution in solutions:
        for memories in (after(solution, Changes()), after(solution, REWRITER.corrupted(of(solution)))):
            text = REWRITER.inference(solution.question, memories)
            answer = REWRITER.follows(solution.question, memories)
            if text is None:
                continue
            written += 1
            steps = (*memories, Step("reason", text))
            found = judge(LAYOUT.parse(solution.question, LAYOUT.solution_text(steps, str(answer))))
            assert found.step_truth[-2:] == (True, True), steps
    assert written > 1.5 * len(solutions)


@pytest.mark.parametrize(
    ("written", "gold", "edits", "insert"),
    [
        (trace(ASIA, "France lies in Asia.", "So it is true."), (), {0: "France lies in Europe."}, {}),
        (
            trace(ASIA, "Spain is in Asia."), ("France is in Europe.",),
            {0: "Spain is in Europe."}, {1: "France is in Europe."},
        ),
        (
            trace(BOTH, "France is in Europe."), ("France is in Europe.", "Turkey is in Asia."),
            {}, {1: "Turkey is in Asia."},
        ),
        (
            trace(BOTH, "Turkey is in Europe and France is in Europe."), (),
            {0: "Turkey is in Asia. France is in Europe."}, {},
        ),
        (trace(CAPITAL, "The capital of France is Atlantis."), (), {0: "The capital of France is Paris."}, {}),
        (
            trace(CAPITAL, "It is old."), ("France has Paris as its capital.",),
            {}, {0: "France has Paris as its capital."},
        ),
        (
            trace(TWO_HOPS, "France has Paris as its capital.", "France is in Asia, so the answer is true."),
            ("France has Paris as its capital.", "France is in Europe."), {}, {1: "France is in Europe."},
        ),
        (
            trace(Question("q", "Does Spain border Poland?", "False"), "Poland borders Spain."), (),
            {0: "Poland does not border Spain."}, {},
        ),
    ],
    ids=lambda value: None,
)  # fmt: skip
def test_false_memories_are_corrected_in_their_own_words_and_missing_ones_added(
    written: Trace, gold: tuple[str, ...], edits: dict[int, str], insert: dict[int, str]
) -> None:
    found = REWRITER.corrected(written, Solution(written.question, tuple(Step(MEMORY, text) for text in gold)))
    assert {at: step.text for at, step in found.edits.items() if step} == edits
    assert {at: steps[0].text for at, steps in found.insert.items()} == insert


@pytest.mark.parametrize("table", [templates.MEMORIES, other_wordings.MEMORIES], ids=["templates", "others"])
def test_every_sentence_that_can_be_read_can_be_changed(table: dict[Predicate, tuple[str, ...]]) -> None:
    values = {"city": "Nairobi", "continent": "Asia", "number": "3 million", "hemisphere": "north",
              "currency": "yen", "language": "Spanish"}  # fmt: skip
    for predicate, forms in table.items():
        left, right = ({"country": "France", **values}[kind] for kind in KINDS[predicate])
        for form in forms:
            written = trace(TWO_HOPS, form.format(left=left, right="Spain" if right == "France" else right))
            assert REWRITER.memories(written) == [0], form
            (fact,) = facts_of(written.steps)
            true = world().is_true(fact)
            corrected = REWRITER.corrected(written, Solution(TWO_HOPS, ())).edits
            corrupted, said = REWRITER.corrupted(written), REWRITER.paraphrased(written)
            for edits, holds in ((corrected, True), (not isinstance(corrupted, str) and corrupted.edits, False)):
                assert bool(edits) == (true is not holds), form
                assert not edits or truths([edits[0]], TWO_HOPS) == [holds], form  # type: ignore[index]
            assert isinstance(said, Changes) and facts_of([said.edits[0] or written.steps[0]]) == [fact], form
    said = REWRITER.corrected(trace(TWO_HOPS, "Nairobi is in Europe."), Solution(TWO_HOPS, ()))
    assert said.edits == {0: Step(MEMORY, "Nairobi is in Africa.")}


def test_many_facts_that_decide_nothing_are_made_false_in_no_time() -> None:
    texts = [fact for name in world().asked[:12] if (fact := f"{name} is in {world().countries[name].continent}.")]
    written = trace(CAPITAL, *texts)
    found = REWRITER.corrupted(written)
    assert isinstance(found, Changes)
    assert truths([found.edits[at] or step for at, step in enumerate(written.steps)], CAPITAL) == [False] * 12


def test_what_cannot_be_changed_has_a_reason() -> None:
    false = trace(ASIA, "France is in Asia.")
    assert REWRITER.corrupted(false) == "no step states a fact that is true"
    unread = trace(ASIA, "It is known.")
    assert REWRITER.paraphrased(unread) == "no step states a fact in words that are known"
    assert REWRITER.memories(unread) == [] and REWRITER.inference(ASIA, unread.steps) is None
    equal = Question("q", "True or false: France is larger than Italy.", "True")
    same = [Step(MEMORY, f"{name} covers about 300 thousand square kilometres.") for name in ("France", "Italy")]
    assert REWRITER.follows(equal, same) == "False" and REWRITER.inference(equal, same) is None
