"""The judge: which step is true, which inference follows, and what went wrong."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memreason.records import Question, Step, Trace
from memreason.tasks.atlas import build, judge
from memreason.tasks.atlas.facts import world

ASIA = Question("q", "Is it true that France is in Asia?", "False")
CAPITAL = Question("q", "What is the capital of France?", "B", ("Lyon", "Paris", "Rome", "Madrid"))
LARGER = Question("q", "True or false: France is larger than Italy.", "True")
TWO_HOPS = Question("q", "True or false: Paris is a capital in Asia.", "False")
NEIGHBOURS = Question("q", "Spain and Poland are neighbours. True or false?", "False")


def judged(question, *lines, answer):
    """Judge "m: …", "r: …" and "s: …" lines: memory, reason and plain steps."""
    types = {"m": "memory", "r": "reason", "s": "step"}
    steps = tuple(Step(types[line[0]], line[3:]) for line in lines)
    verdict = judge(Trace(question, "", steps, answer, True, False))
    return list(verdict.step_truth), verdict.cause


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"seed": 1, "num_train": 200, "num_validation": 20, "num_test": 20, "num_countries": 40},
        pytest.param(
            {"seed": 2, "num_train": 300, "num_validation": 30, "num_test": 40, "num_countries": 194},
            marks=pytest.mark.slow,
        ),
    ],
    ids=str,
)
def test_every_step_of_every_solution_is_right(arguments):
    for solutions in build(**arguments).splits.values():
        for solution in solutions:
            plain = tuple(replace(step, type="step") for step in solution.steps)
            for steps in (solution.steps, plain):
                verdict = judge(Trace(solution.question, "", steps, solution.question.answer, True, False))
                assert verdict.step_truth == (True,) * (len(steps) + 1), solution
                assert verdict.cause is None


def test_a_valid_inference_from_a_false_memory():
    assert judged(ASIA, "m: France is in Asia.", "r: Asia is what is stated, so it is true.", answer="True") == (
        [False, True, True],
        "false_memory",
    )


def test_an_invalid_inference_from_a_true_memory():
    lines = ("m: France is in Europe.", "r: Europe is not Asia, so it is true.")
    assert judged(ASIA, *lines, answer="True") == ([True, False, True], "wrong_inference")


def test_an_answer_line_that_contradicts_the_conclusion():
    lines = ("m: France is in Europe.", "r: Europe is not Asia, so the statement is false.")
    assert judged(ASIA, *lines, answer="True") == ([True, True, False], "answer_slip")


def test_a_right_answer_has_no_cause_however_it_came_about():
    lines = ("m: France is in Africa.", "r: Africa is not Asia, so the answer is false.")
    assert judged(ASIA, *lines, answer="False") == ([False, True, True], None)


@pytest.mark.parametrize(
    "reason",
    [
        "Africa is not Asia, so the answer is false.",  # Africa was stated of nobody
        "Europe is not Africa, so the answer is false.",  # Africa was not asked about
        "Europe is not Europe, so the answer is false.",
        "Both lie in Europe, so the answer is false.",  # not a question about two
        "Europe is option B.",
        "They share no border, so the answer is false.",
    ],
)
def test_an_inference_must_rest_on_what_was_stated_and_asked(reason):
    assert judged(ASIA, "m: France is in Europe.", f"r: {reason}", answer="False")[0][1] is False


def test_a_true_fact_about_something_else_supports_nothing():
    lines = ("m: Italy is in Europe.", "r: Europe is not Asia, so the answer is false.")
    assert judged(ASIA, *lines, answer="False")[0] == [True, False, True]


def test_an_inference_is_not_blamed_for_a_memory_that_cannot_be_read():
    lines = ("m: France hmm Europe.", "r: Europe is not Asia, so the answer is true.")
    assert judged(ASIA, *lines, answer="True") == ([None, None, True], "unreadable")


def test_later_memories_do_not_support_earlier_inferences():
    lines = ("r: Europe is not Asia, so the answer is false.", "m: France is in Europe.")
    assert judged(ASIA, *lines, answer="False")[0] == [False, True, True]


def test_options():
    memory = "m: The capital of France is Paris."
    assert judged(CAPITAL, memory, "r: Paris is option B.", answer="B") == ([True, True, True], None)
    assert judged(CAPITAL, memory, "r: Paris is option C.", answer="C") == (
        [True, False, True],
        "wrong_inference",
    )
    assert judged(CAPITAL, memory, "r: Rome is option C.", answer="C")[0] == [True, False, True]
    assert judged(CAPITAL, "m: The capital of France is Rome.", "r: Rome is choice C.", answer="C") == (
        [False, True, True],
        "false_memory",
    )


def test_an_invented_capital_is_a_false_memory_and_leads_to_no_option():
    lines = ("m: The capital of France is Parnum.", "r: Paris is option B.")
    assert judged(CAPITAL, *lines, answer="B")[0] == [False, False, True]


def test_comparisons_need_right_arithmetic_and_the_right_subject():
    memories = (
        "m: France covers about 550 thousand square kilometres.",
        "m: The area of Italy is about 300 thousand square kilometres.",
    )

    def reason(text):
        return judged(LARGER, *memories, f"r: {text}", answer="True")[0][2]

    assert reason("550 thousand is more than 300 thousand, so the answer is true.")
    assert reason("300 thousand is less than 550 thousand, so the answer is true.")
    assert reason("550,000 is more than 300,000, so the answer is true.")
    assert reason("300 thousand is more than 550 thousand, so the answer is true.") is False
    assert reason("550 thousand is more than 300 thousand, so the answer is false.") is False
    assert reason("900 thousand is more than 300 thousand, so the answer is true.") is False


def test_a_comparison_follows_from_false_numbers_too():
    lines = (
        "m: France covers about 200 thousand square kilometres.",
        "m: Italy covers about 300 thousand square kilometres.",
        "r: 300 thousand is more than 200 thousand, so the statement is false.",
    )
    assert judged(LARGER, *lines, answer="False") == ([False, True, True, True], "false_memory")


@pytest.mark.parametrize(("text", "truth"), [("500", True), ("590", True), ("480", False), ("620", False)])
def test_numbers_are_true_within_ten_percent(text, truth):
    """France has 547,030 square kilometres in the table."""
    memory = f"m: France covers about {text} thousand square kilometres."
    assert judged(LARGER, memory, answer="True")[0][0] is truth


def test_two_hops_need_both_facts():
    capital, continent = "m: Paris is the capital of France.", "m: France is in Europe."
    reason = "r: Europe is not Asia, so the answer is false."
    assert judged(TWO_HOPS, capital, continent, reason, answer="False")[0] == [True] * 4
    assert judged(TWO_HOPS, continent, reason, answer="False")[0] == [True, False, True]
    assert judged(TWO_HOPS, capital, "m: Italy is in Europe.", reason, answer="False")[0][2] is False


def test_borders_can_be_stated_either_way_round():
    reason = "r: They share no border, so the statement is false."
    for memory in ("m: Spain does not border Poland.", "m: Poland shares no land border with Spain."):
        assert judged(NEIGHBOURS, memory, reason, answer="False")[0] == [True] * 3
    assert judged(NEIGHBOURS, "m: Spain borders Poland.", reason, answer="False")[0] == [False, False, True]


@pytest.mark.parametrize(
    "memory",
    [
        "the capital of the  united states is washington",
        "The capital of the USA is Washington.",
        "Washington is the capital of America.",
        "The United States has Washington as its capital",
    ],
)
def test_spelling_is_read_tolerantly(memory):
    assert judged(CAPITAL, f"m: {memory}", answer="B")[0][0] is True


@pytest.mark.parametrize(
    "memory",
    [
        "The capital of the United States is Washington, D.C.",
        "Kiev is the capital of Ukraine.",
        "The currency of China is the renminbi.",
        "People in Iran mainly speak Farsi.",
    ],
)
def test_other_names_of_the_same_thing_are_true(memory):
    assert judged(CAPITAL, f"m: {memory}", answer="B")[0][0] is True


def test_no_wrong_option_is_another_name_of_the_right_one():
    for country in world().countries.values():
        assert country.capital not in {world().find("city", city) for city in country.cities}


def test_an_option_may_have_another_name_in_a_step():
    question = Question("q", "What is the main language of Iran?", "B", ("Urdu", "Persian", "Arabic", "Hindi"))
    lines = ("m: People in Iran mainly speak Farsi.", "r: Farsi is option B.")
    assert judged(question, *lines, answer="B") == ([True, True, True], None)


@pytest.mark.parametrize(
    "difference", ["is not the one named", "is not what is stated", "does not agree with the question"]
)
def test_a_value_that_is_not_the_one_in_the_question(difference):
    reason = f"r: Europe {difference}, so the answer is false."
    assert judged(ASIA, "m: France is in Europe.", reason, answer="False") == ([True, True, True], None)
    reason = reason.replace("Europe", "Asia")
    assert judged(ASIA, "m: France is in Asia.", reason, answer="False") == ([False, False, True], None)


@pytest.mark.parametrize("types", ["mr", "rm", "ss", "mm", "rr"])
def test_a_step_is_judged_by_what_it_says_whatever_its_type(types):
    texts = ("France is in Africa.", "Africa is not Asia, so the answer is true.")
    lines = [f"{type_}: {text}" for type_, text in zip(types, texts, strict=True)]
    assert judged(ASIA, *lines, answer="True") == ([False, False, True], "wrong_inference")
    steps = tuple(Step(type_, text) for type_, text in zip(types, texts, strict=True))
    assert judge(Trace(ASIA, "", steps, "True", True, False)).kinds == ("memory", "reason")


def test_the_whole_table_is_known_not_only_the_countries_asked_about():
    assert judged(ASIA, "m: Tuvalu is in Oceania.", answer="False")[0][0] is True
    assert judged(ASIA, "m: Greenland is in Africa.", answer="False")[0][0] is False


def test_a_missing_answer_has_no_cause():
    lines = ("m: France is in Europe.", "r: Europe is not Asia, so the answer is false.")
    assert judged(ASIA, *lines, answer=None) == ([True, True, None], None)
    assert judged(ASIA, answer=None) == ([None], None)


def test_a_question_of_another_kind_leaves_inferences_unread():
    other = Question("q", "Do hamsters fly?", "False")
    lines = ("m: France is in Europe.", "r: Europe is not Asia, so the answer is false.")
    assert judged(other, *lines, answer="False")[0] == [True, None, True]


VOCABULARY = "France Paris Europe the is not in option B 550 thousand , so answer true . people about borders"
WORDS = st.sampled_from(VOCABULARY.split())
JUNK = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=12).map(" ".join))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["memory", "reason", "step", "+"]), JUNK), max_size=4),
    st.one_of(st.none(), JUNK),
    st.sampled_from([ASIA, CAPITAL, LARGER, TWO_HOPS, NEIGHBOURS, Question("q", "?", "", ("", ""))]),
)
def test_no_text_whatsoever_makes_the_judge_fail(steps, answer, question):
    steps = tuple(Step(*step) for step in steps)
    verdict = judge(Trace(question, "", steps, answer, False, True))
    assert len(verdict.step_truth) == len(steps) + 1


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="xyzq ?!<>_\n€", max_size=80), st.sampled_from(["memory", "reason", "step"]))
def test_junk_is_not_judged(text, type_):
    verdict = judge(Trace(ASIA, "", (Step(type_, text),), "True", False, False))
    assert verdict.step_truth == (None, None) and verdict.kinds == (None,)
    assert verdict.cause == "unreadable"
