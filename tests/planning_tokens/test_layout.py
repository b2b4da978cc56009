"""The layout of texts, and solutions as ids: what is prompt, what bears loss, and that text and ids say the same."""

from pathlib import Path

import pytest
from helpers.tiny import SHAPES, SOLUTIONS, make_tokenizer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from memreason.errors import UserError
from memreason.models.token_embeddings import add_tokens
from memreason.planning_tokens.layout import EACH_STEP, FRONT, IGNORE, PLAN_FIRST, PLAN_ONLY, PlanningTokens
from memreason.records import MEMORY, REASON, Question, Solution, Step, one_line

TEXTS = (
    st.text(st.characters(codec="utf-8"), min_size=1)
    .map(one_line)
    .filter(lambda text: text and "<" not in text and not text.startswith("The answer is:"))
)
LAYOUTS = {
    "memory and reason": PlanningTokens(2, 3, (MEMORY, REASON)),
    "no prefix tokens": PlanningTokens(0, 1, (MEMORY, REASON)),
    "no step types": PlanningTokens(1, 2),
    "plain chain of thought": PlanningTokens(),
    "only at the front": PlanningTokens(2, 0, (), FRONT),
    "plan first": PlanningTokens(2, 3, (MEMORY, REASON), PLAN_FIRST),
    "plan only": PlanningTokens(1, 1, (MEMORY, REASON), PLAN_ONLY),
    "words": PlanningTokens(step_types=(MEMORY, REASON), words=True),
    "a plan in words": PlanningTokens(step_types=(MEMORY, REASON), placement=PLAN_FIRST, words=True),
}


def test_the_documented_layout() -> None:
    layout = PlanningTokens(1, 1, ("memory", "reason"))
    question = Question("q1", "Is Lyon the capital of France?", "False")
    steps = (Step("memory", "The capital of France is Paris."), Step("reason", "Lyon is not Paris."))
    assert layout.prompt_text(question) == "Question: Is Lyon the capital of France?\n"
    assert layout.solution_text(steps, "False") == (
        "<prefix_0><memory_0> The capital of France is Paris.\n"
        "<prefix_0><reason_0> Lyon is not Paris.\n"
        "<prefix_0><answer_0> The answer is: False"
    )


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (
            PlanningTokens(1, 0, (), FRONT),
            "<prefix_0> The capital of France is Paris.\nLyon is not Paris.\nThe answer is: False",
        ),
        (
            PlanningTokens(1, 1, ("memory", "reason"), PLAN_FIRST),
            "<prefix_0><memory_0><prefix_0><reason_0><prefix_0><answer_0>\n"
            "The capital of France is Paris.\nLyon is not Paris.\nThe answer is: False",
        ),
        (
            PlanningTokens(0, 2, ("memory", "reason"), PLAN_ONLY),
            "<memory_0><memory_1><reason_0><reason_1><answer_0><answer_1>\nThe answer is: False",
        ),
        (
            PlanningTokens(0, 0, ("memory", "reason"), EACH_STEP, words=True),
            "[memory] The capital of France is Paris.\n[reason] Lyon is not Paris.\n[answer] The answer is: False",
        ),
        (
            PlanningTokens(0, 0, ("memory", "reason"), PLAN_FIRST, words=True),
            "[memory][reason][answer]\nThe capital of France is Paris.\nLyon is not Paris.\nThe answer is: False",
        ),
    ],
)
def test_the_other_layouts(layout: PlanningTokens, text: str) -> None:
    steps = (Step("memory", "The capital of France is Paris."), Step("reason", "Lyon is not Paris."))
    assert layout.solution_text(steps, "False") == text


@pytest.fixture(params=SHAPES)
def tokenizer(request: pytest.FixtureRequest, bases: dict[str, Path]) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(bases[request.param])


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest, tokenizer: PreTrainedTokenizerBase) -> PlanningTokens:
    layout = LAYOUTS[request.param]
    add_tokens(tokenizer, layout)
    return layout


def test_the_prompt_of_generation_is_the_prompt_of_training(
    layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase
) -> None:
    for solution in SOLUTIONS:
        encoded = layout.encode(tokenizer, solution)
        assert encoded.ids[: encoded.prompt_length] == layout.encode_prompt(tokenizer, solution.question)


def test_the_prompt_ends_after_the_first_prefix_tokens(
    layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase
) -> None:
    prompt = layout.encode_prompt(tokenizer, SOLUTIONS[0].question)
    text = tokenizer.decode(prompt, skip_special_tokens=True)
    assert text == "Question: Is Paris the capital of France?\n" + "".join(layout.prefix)


def test_the_loss_covers_the_solution_and_the_end_token_and_never_the_prompt(
    layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase
) -> None:
    for solution in SOLUTIONS:
        encoded = layout.encode(tokenizer, solution)
        prompt, rest = encoded.labels[: encoded.prompt_length], encoded.labels[encoded.prompt_length :]
        assert set(prompt) == {IGNORE}
        assert rest == encoded.ids[encoded.prompt_length :]
        assert rest[-1] == tokenizer.eos_token_id
        written = "".join(layout.prefix) + tokenizer.decode(rest[:-1])
        assert written == layout.solution_text(solution.steps, solution.question.answer)


def one_by_one(layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase, solution: Solution) -> list[int]:
    """The ids of a solution, each piece of it tokenised in a call of its own."""

    def ids(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False)

    def of_marks(marks: list[str]) -> list[int]:
        return [i for mark in marks for i in (ids(mark) if layout.words else [tokenizer.convert_tokens_to_ids(mark)])]

    found = [i for i in tokenizer.encode("") if i != tokenizer.eos_token_id] + ids(
        layout.prompt_text(solution.question)
    )
    lines = layout.lines(solution.steps, solution.question.answer)
    for number, (marks, text) in enumerate(lines):
        end = "\n" if number < len(lines) - 1 else ""
        found += of_marks(marks) + ids((" " if marks and text else "") + text + end)
    return [*found, tokenizer.eos_token_id]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(TEXTS, st.lists(st.tuples(st.sampled_from([MEMORY, REASON]), TEXTS), min_size=1)), max_size=4)
)
def test_many_at_once_have_the_ids_that_each_piece_has_by_itself(
    layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase, texts: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    solutions = [
        Solution(Question(str(i), question, "True"), tuple(Step(*step) for step in steps))
        for i, (question, steps) in enumerate(texts)
    ]
    found = layout.encode_all(tokenizer, solutions, [()] * len(solutions))
    assert [encoded.ids for encoded in found] == [one_by_one(layout, tokenizer, solution) for solution in solutions]


def test_every_planning_token_is_one_id(tokenizer: PreTrainedTokenizerBase) -> None:
    layout = LAYOUTS["memory and reason"]
    ids = add_tokens(tokenizer, layout)
    assert list(ids) == layout.names and len(set(ids.values())) == 2 + 3 * 3
    encoded = layout.encode(tokenizer, SOLUTIONS[0])
    lines = len(SOLUTIONS[0].steps) + 1
    assert sum(i in ids.values() for i in encoded.ids) == lines * (2 + 3)


def test_ids_parse_back_to_the_solution(layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase) -> None:
    for solution in SOLUTIONS:
        encoded = layout.encode(tokenizer, solution)
        text = "".join(layout.prefix) + tokenizer.decode(encoded.ids[encoded.prompt_length : -1])
        trace = layout.parse(solution.question, text)
        assert trace.well_formed
        assert trace.answer == solution.question.answer
        if layout.placement != PLAN_ONLY:
            assert [step.text for step in trace.steps] == [step.text for step in solution.steps]
        if layout.step_types:
            assert [step.type for step in trace.steps] == [step.type for step in solution.steps]


@pytest.mark.parametrize("name", LAYOUTS)
@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([MEMORY, REASON]), TEXTS), min_size=1, max_size=4), TEXTS)
def test_ids_of_any_texts_parse_back(name: str, steps: list[tuple[str, str]], answer: str) -> None:
    layout, tokenizer = LAYOUTS[name], make_tokenizer(bos=True)
    add_tokens(tokenizer, layout)
    solution = Solution(Question("q", "Is it?", answer), tuple(Step(*step) for step in steps))
    encoded = layout.encode(tokenizer, solution)
    text = "".join(layout.prefix) + tokenizer.decode(encoded.ids[encoded.prompt_length : -1])
    assert text == layout.solution_text(solution.steps, answer)
    trace = layout.parse(solution.question, text)
    assert trace.answer == answer and trace.well_formed
    assert len(trace.steps) == len(steps)


def test_a_word_has_the_same_ids_before_every_line_and_in_a_plan(tokenizer: PreTrainedTokenizerBase) -> None:
    word = tokenizer.encode("[memory]", add_special_tokens=False)
    for name in ("words", "a plan in words"):
        layout = LAYOUTS[name]
        assert add_tokens(tokenizer, layout) == {}
        encoded = layout.encode(tokenizer, SOLUTIONS[0])
        assert encoded.ids[encoded.prompt_length :][: len(word)] == word


def test_options_stand_in_the_prompt() -> None:
    question = Question("q", "Which is a city?", "B", ("Japan", "Tokyo"))
    assert PlanningTokens().prompt_text(question) == "Question: Which is a city?\nOptions: A. Japan B. Tokyo\n"


def test_a_text_that_holds_a_planning_token_is_refused(bases: dict[str, Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(bases["tied"])
    layout = LAYOUTS["memory and reason"]
    add_tokens(tokenizer, layout)
    with pytest.raises(UserError, match=r"question q1: .*<memory_0>"):
        layout.encode_prompt(tokenizer, Question("q1", "What is <memory_0>?", "True"))
    with pytest.raises(UserError, match=r"solution q2: .*<reason_1>"):
        layout.encode(tokenizer, Solution(Question("q2", "What?", "True"), (Step(MEMORY, "It is <reason_1>."),)))
