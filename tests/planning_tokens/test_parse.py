"""Parsing: what the layout writes is read back, and any other text is read without failing."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memreason.planning_tokens.layout import FRONT, PLAN_FIRST, PLAN_ONLY, PlanningTokens
from memreason.planning_tokens.parse import parse_text
from memreason.records import Question, Step, one_line

QUESTION = Question("q1", "Is Lyon the capital of France?", "False")
LAYOUT = PlanningTokens(1, 1, ("memory", "reason"))

texts = st.text(min_size=1).map(one_line).filter(lambda text: text and "<" not in text)
types = st.sampled_from(["memory", "reason"])
counts = st.integers(0, 3)


@given(counts, st.integers(1, 3), st.lists(st.tuples(types, texts), min_size=1), texts)
def test_any_one_line_texts_come_back(general, special, steps, answer):
    layout = PlanningTokens(general, special, ("memory", "reason"))
    steps = tuple(Step(*step) for step in steps)
    trace = layout.parse(QUESTION, layout.solution_text(steps, answer))
    assert (trace.steps, trace.answer, trace.well_formed) == (steps, answer, True)


@given(counts, st.lists(texts, min_size=1), texts)
def test_a_layout_without_types_comes_back_as_plain_steps(general, steps, answer):
    assume(not any(text.startswith("The answer is:") for text in steps))
    layout = PlanningTokens(general, 0)
    steps = tuple(Step("step", text) for text in steps)
    trace = layout.parse(QUESTION, layout.solution_text(steps, answer))
    assert (trace.steps, trace.answer, trace.well_formed) == (steps, answer, True)


marks = st.from_regex(r"[ -;=?-~]{0,8}<<[0-9x_+*/.-]{1,9}=[0-9_.]{0,4}>>[0-9 .]{0,4}", fullmatch=True).map(one_line)


@given(counts, counts, st.lists(st.tuples(st.sampled_from(["memory", "step"]), marks), min_size=1), texts)
def test_calculator_marks_are_no_planning_tokens(general, special, steps, answer):
    """A mark can look like one: <<2*x_1>> holds <2*x_1>."""
    layout = PlanningTokens(general, special, ("memory", "reason"))
    steps = tuple(Step(*step) for step in steps)
    trace = layout.parse(QUESTION, layout.solution_text(steps, answer))
    assert [step.text for step in trace.steps] == [step.text for step in steps]
    assert trace.answer == answer


@given(st.integers(1, 3), st.lists(texts, min_size=1), texts)
def test_tokens_at_the_front_come_back_as_plain_steps(general, steps, answer):
    assume(not any(text.startswith("The answer is:") for text in steps))
    layout = PlanningTokens(general, 0, placement=FRONT)
    steps = tuple(Step("step", text) for text in steps)
    trace = layout.parse(QUESTION, layout.solution_text(steps, answer))
    assert (trace.steps, trace.answer, trace.well_formed) == (steps, answer, True)


plans = st.sampled_from([PLAN_FIRST, PLAN_ONLY])


@given(plans, counts, counts, st.lists(st.tuples(types, texts), min_size=1), texts)
def test_any_plan_comes_back_with_its_texts_where_they_are_written(placement, general, special, steps, answer):
    """Also a step that begins like an answer line: the plan says how many steps there are."""
    layout = PlanningTokens(general if special else 0, special, ("memory", "reason"), placement, words=special == 0)
    steps = tuple(Step(type_, text if placement == PLAN_FIRST else "") for type_, text in steps)
    trace = layout.parse(QUESTION, layout.solution_text(steps, answer))
    assert (trace.steps, trace.answer, trace.well_formed) == (steps, answer, True)


@given(st.lists(st.tuples(types, texts), min_size=1), texts)
def test_any_texts_come_back_from_behind_words(steps, answer):
    layout = PlanningTokens(step_types=("memory", "reason"), words=True)
    steps = tuple(Step(*step) for step in steps)
    trace = layout.parse(QUESTION, layout.solution_text(steps, answer))
    assert (trace.steps, trace.answer, trace.well_formed) == (steps, answer, True)


@pytest.mark.parametrize(
    "text",
    [
        "<prefix_0><memory_0><prefix_0><answer_0>\nOne.\nTwo.\nThe answer is: True",  # a step more than planned
        "<prefix_0><memory_0><prefix_0><reason_0><prefix_0><answer_0>\nOne.\nThe answer is: True",  # one less
        "<prefix_0><memory_0>\nOne.\nThe answer is: True",  # the plan has no end
        "<prefix_0><memory_0> One.\n<prefix_0><answer_0> The answer is: True",  # the usual layout
        "<prefix_0><memory_0><prefix_0><answer_0>\nThe answer is: True",  # a plan only
    ],
)
def test_not_as_planned(text):
    assert not PlanningTokens(1, 1, ("memory", "reason"), PLAN_FIRST).parse(QUESTION, text).well_formed


def test_a_plan_only_with_steps_written_after_all_is_not_well_formed():
    text = "<prefix_0><memory_0><prefix_0><answer_0>\nOne.\nThe answer is: True"
    assert not PlanningTokens(1, 1, ("memory", "reason"), PLAN_ONLY).parse(QUESTION, text).well_formed


@given(st.text())
def test_parsing_takes_any_text(text):
    steps, _ = parse_text(text)
    assert all("\n" not in step.text for step in steps)


def test_the_published_spelling_reads_as_ours():
    text = " <prefix_0><prefix_1><rag_0><rag_1> A fact.\n<prefix_0> <reason_0> So.\n<answer_0> The answer is: True\n"
    assert parse_text(text) == ((Step("memory", "A fact."), Step("reason", "So.")), "True")


def test_nothing_after_the_answer_line_is_read():
    assert parse_text("One.\nThe answer is: True\nTwo.\nThe answer is: False") == ((Step("step", "One."),), "True")


@pytest.mark.parametrize(
    "text",
    [
        "<prefix_0><memory_0> A fact.",  # no answer line
        "<prefix_0><answer_0> The answer is: True",  # no steps
        "<prefix_0><memory_0> A fact.\n<prefix_0><answer_0> The answer is:",  # no answer in it
        "<prefix_0><memory_0>\n<prefix_0><answer_0> The answer is: True",  # an empty step
        "<prefix_0> A fact.\n<prefix_0><answer_0> The answer is: True",  # a step without a type
        "<prefix_0><guess_0> A fact.\n<prefix_0><answer_0> The answer is: True",  # an unknown type
        "<memory_0> A fact.\n<prefix_0><answer_0> The answer is: True",  # a token is missing
        "<prefix_0><memory_0> A fact.\n<prefix_0><answer_0> The answer is: True\nMore.",  # it goes on
    ],
)
def test_not_well_formed(text):
    assert not LAYOUT.parse(QUESTION, text).well_formed


def test_a_truncated_text_is_never_well_formed():
    text = LAYOUT.solution_text((Step("memory", "A fact."),), "True")
    assert LAYOUT.parse(QUESTION, text).well_formed
    assert not LAYOUT.parse(QUESTION, text, truncated=True).well_formed
