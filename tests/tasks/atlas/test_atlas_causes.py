"""Why answers are wrong: traces written by hand, one for each way."""

import pytest

from memreason.records import Question, Step, Trace
from memreason.tasks.atlas import judge

ASIA = Question("q", "Is it true that France is in Asia?", "False")
PEOPLE = Question("q", "Afghanistan has more people than Nigeria. True or false?", "False")
CAPITAL = Question("q", "What is the capital of France?", "B", ("Lyon", "Paris", "Rome", "Madrid"))
IN_ASIA = Question("q", "Which of these countries is in Asia?", "C", ("Mexico", "Poland", "India", "Colombia"))
TWO_HOPS = Question("q", "The country whose capital is Bangkok is in Asia. Is this true?", "True")
SMALLER = Question("q", "Which country has less area than Argentina?", "A", ("Vietnam", "Australia", "Canada", "China"))
BOTH_IN = Question("q", "True or false: Russia shares its continent with Italy.", "True")


def judged(question, *texts, answer):
    steps = tuple(Step("memory", text) for text in texts)
    return judge(Trace(question, "", steps, answer, True, False))


def cause(question, *texts, answer):
    return judged(question, *texts, answer=answer).cause


def test_a_false_memory_that_changes_nothing_is_not_to_blame():
    texts = (
        "Afghanistan has about 20 million people.",
        "Nigeria has about 200 million people.",
        "20 million is more than 200 million, so the answer is true.",
    )
    found = judged(PEOPLE, *texts, answer="True")
    assert found.cause == "wrong_inference" and found.step_truth == (False, True, False, True)
    assert found.kinds == ("memory", "memory", "reason")


def test_a_false_memory_from_which_the_wrong_answer_follows():
    assert cause(ASIA, "France is in Asia.", "Asia is what is stated, so it is true.", answer="True") == "false_memory"
    assert cause(CAPITAL, "Rome is the capital of France.", "Rome is option C.", answer="C") == "false_memory"
    numbers = "Afghanistan has about 40 million people.", "Nigeria has about 4 million people."
    led = "40 million is more than 4 million, so the answer is true."
    assert cause(PEOPLE, *numbers, led, answer="True") == "false_memory"


def test_both_a_false_memory_and_a_conclusion_that_does_not_follow_from_it():
    assert cause(CAPITAL, "Rome is the capital of France.", "Lyon is option A.", answer="A") == "both"
    assert cause(CAPITAL, "Rome is the capital of France.", "Rome is option D.", answer="D") == "both"


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("China lies in Asia.",),
        ("China lies in Asia.", "China is option A."),
        ("Mexico is in North America.", "Poland is in Europe.", "Poland is option B."),  # rules out, but not enough
        ("Mexico is in Europe.", "Mexico is option A."),
    ],
)
def test_a_memory_that_the_question_needs_is_missing(texts):
    answer = "B" if "Poland is option B." in texts else "A"
    assert cause(IN_ASIA, *texts, answer=answer) == "missing_memory"


def test_more_than_one_option_fits_what_was_recalled():
    texts = "India is in Asia.", "Poland is in Asia.", "Poland is option B."
    assert cause(IN_ASIA, *texts, answer="B") == "missing_memory"


def test_the_answer_line_slips():
    texts = "France is in Europe.", "Europe is not Asia, so the answer is false."
    assert cause(ASIA, *texts, answer="True") == "answer_slip"
    assert cause(CAPITAL, "Paris is the capital of France.", "Paris is option B.", answer="A. Lyon") == "answer_slip"


def test_a_later_statement_about_the_same_subject_counts():
    texts = "France is in Asia.", "France is in Europe.", "Europe is not Asia, so the answer is false."
    assert judged(ASIA, *texts, answer="False").step_truth == (False, True, True, True)
    assert cause(ASIA, *texts[:2], "Asia is what is stated, so it is true.", answer="True") == "wrong_inference"
    assert cause(ASIA, *texts[1::-1], "Asia is what is stated, so it is true.", answer="True") == "false_memory"
    assert cause(ASIA, texts[1], texts[1], "Europe is not Asia, so it is true.", answer="True") == "wrong_inference"


def test_a_capital_that_is_corrected_is_no_longer_the_capital():
    first, second = "Thailand has Bangkok as its capital.", "The capital of Thailand is Pattaya."
    found = judged(
        TWO_HOPS, first, second, "Thailand is in Asia.", "Asia is the one named, so it is true.", answer="True"
    )
    assert found.step_truth == (True, False, True, False, True)


def test_memories_after_the_inference_count_for_the_cause_but_not_for_its_validity():
    texts = "Europe is not Asia, so the answer is true.", "France is in Europe."
    assert judged(ASIA, *texts, answer="True").step_truth == (False, True, True)
    assert cause(ASIA, *texts, answer="True") == "wrong_inference"
    assert judged(ASIA, "Europe is not Asia, so the answer is false.", texts[1], answer="False").grounds == "lucky"


def test_without_an_inference_the_answer_line_is_the_conclusion():
    assert judged(ASIA, "France is in Europe.", answer="False").grounds == "sound"
    assert cause(ASIA, "France is in Europe.", answer="True") == "wrong_inference"
    assert cause(ASIA, "France is in Asia.", answer="True") == "false_memory"
    assert cause(CAPITAL, "Rome is the capital of France.", answer="A") == "both"


def test_an_answer_line_alone():
    found = judged(ASIA, answer="True")
    assert (found.step_truth, found.cause, found.grounds) == ((None,), "missing_memory", None)
    found = judged(ASIA, answer="no")
    assert (found.step_truth, found.cause, found.grounds) == ((None,), None, "unreadable")


def test_a_step_that_cannot_be_read_stands_in_the_way():
    assert cause(ASIA, "France hmm Europe.", "Europe is not Asia, so it is true.", answer="True") == "unreadable"
    assert cause(ASIA, "France is in Europe.", "Hmm, so be it.", answer="True") == "unreadable"
    texts = "France is in Europe.", "Europe is not Asia, so the answer is false.", "Hmm, on second thoughts."
    assert cause(ASIA, *texts, answer="True") == "unreadable"
    assert judged(ASIA, *texts, answer="True").step_truth == (True, True, None, None)
    assert cause(Question("q", "Do hamsters fly?", "False"), "France is in Europe.", answer="True") == "unreadable"


def test_a_step_that_cannot_be_read_before_the_last_conclusion_does_not_excuse_the_answer_line():
    texts = "Hmm.", "France is in Europe.", "Europe is not Asia, so the answer is false."
    assert cause(ASIA, *texts, answer="True") == "answer_slip"
    assert judged(ASIA, *texts, answer="True").step_truth == (None, True, True, False)


def test_a_step_that_cannot_be_read_and_changes_nothing_is_not_to_blame():
    texts = "Hmm.", "France is in Asia.", "Asia is what is stated, so it is true."
    assert cause(ASIA, *texts, answer="True") == "false_memory"
    assert cause(ASIA, *texts[1:], "Hmm.", answer="True") == "false_memory"
    texts = "Europe is not Oceania.", "France is in Europe.", "Europe is not Asia, so it is true."
    assert cause(ASIA, *texts, answer="True") == "wrong_inference"


def test_a_fact_and_a_conclusion_in_one_step():
    """The step is an inference, and its fact is among those that the trace states."""
    found = judged(
        TWO_HOPS, "Thailand has Bangkok as its capital.", "Thailand is in Asia, so it is true.", answer="True"
    )
    assert (found.step_truth, found.kinds, found.grounds) == ((True, True, True), ("memory", "reason"), "sound")
    texts = "Thailand has Bangkok as its capital.", "Thailand is in Europe, so the answer is false."
    found = judged(TWO_HOPS, *texts, answer="False")
    assert found.step_truth == (True, False, True) and found.cause == "false_memory"
    texts = "France is in Europe.", "Italy is in Europe, so the answer is false."  # Italy was not asked about
    assert judged(ASIA, *texts, answer="False").step_truth == (True, False, True)


def test_a_false_fact_makes_its_step_false_whatever_else_it_says():
    """The table has no main language of India that could be called fair."""
    texts = ("Hindi is the main language of India and France is in Asia, so the answer is true.",)
    assert judged(ASIA, texts[0].partition(" and ")[0] + ".", answer="False").step_truth == (None, False)
    assert judged(ASIA, *texts, answer="True").step_truth == (False, True)


def test_a_conclusion_that_is_no_answer_to_the_question_is_not_the_traces_conclusion():
    texts = "Rome is the capital of France.", "Rome is the one named, so the answer is true."
    found = judged(CAPITAL, *texts, answer="C")
    assert found.step_truth == (False, False, True) and found.cause == "false_memory"


def test_the_last_conclusion_counts():
    texts = "France is in Europe.", "Europe is not Asia, so it is true.", "So the answer is false."
    found = judged(ASIA, *texts, answer="False")
    assert found.step_truth == (True, False, True, True) and found.grounds == "lucky"
    assert cause(ASIA, *texts, answer="True") == "answer_slip"


def test_different_numbers_are_no_comparison():
    texts = (
        "Vietnam covers about 330 thousand square kilometres.",
        "Argentina covers about 2.8 million square kilometres.",
    )
    found = judged(SMALLER, *texts, "330 thousand is not 2.8 million, so it is option A.", answer="A")
    assert found.step_truth == (True, True, False, True) and found.grounds == "lucky"


def test_the_shared_value_must_be_called_shared():
    texts = "Russia is a country in Europe.", "Italy belongs to Europe."
    assert judged(BOTH_IN, *texts, "They are the same, so the answer is true.", answer="True").grounds == "sound"
    assert judged(BOTH_IN, *texts, "Europe is the one named, so the answer is true.", answer="True").grounds == "lucky"
