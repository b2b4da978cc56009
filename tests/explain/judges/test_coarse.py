"""Why an answer is wrong, from the truth of the steps alone."""

import pytest
from helpers.traces import JAPAN, LYON, trace

from memreason.explain.judges.coarse import answer_follows, coarse_judgement

STEPS = (("memory", "A fact."), ("reason", "So."))


@pytest.mark.parametrize(
    ("truths", "cause"),
    [
        ((False, False, True), "both"),
        ((False, None, False), "false_memory"),
        ((None, False, None), "wrong_inference"),
        ((None, True, False), "answer_slip"),
        ((None, True, True), "unreadable"),
        ((True, True, None), "missing_memory"),
    ],
)
def test_a_wrong_answer_has_one_cause(truths, cause):
    found = coarse_judgement(trace(LYON, "True", *STEPS), "boolean", truths, (None, None))
    assert (found.cause, found.grounds, found.step_truth) == (cause, None, truths)


@pytest.mark.parametrize(
    ("truths", "grounds"),
    [
        ((True, True, None), "sound"),
        ((True, True, False), "lucky"),
        ((False, None, True), "lucky"),
        ((None, True, True), "unreadable"),
    ],
)
def test_a_right_answer_rests_on_something(truths, grounds):
    found = coarse_judgement(trace(LYON, "False", *STEPS), "boolean", truths, (None, None))
    assert (found.cause, found.grounds) == (None, grounds)


def test_what_a_step_says_counts_before_its_type():
    swapped = trace(LYON, "True", ("reason", "A fact."), ("memory", "So."))
    assert coarse_judgement(swapped, "boolean", (False, True, True), ("memory", "reason")).cause == "false_memory"
    assert coarse_judgement(swapped, "boolean", (False, True, True), (None, None)).cause == "wrong_inference"


def test_without_an_answer_there_is_no_cause_and_without_steps_nothing_to_read():
    assert coarse_judgement(trace(LYON, "perhaps", *STEPS), "boolean", (False, True, None), (None, None)).cause is None
    assert coarse_judgement(trace(LYON, "True"), "boolean", (None,), ()).cause == "unreadable"
    assert coarse_judgement(trace(LYON, "False"), "boolean", (None,), ()).grounds == "unreadable"


def test_the_answer_follows_from_the_last_step_if_that_names_one():
    assert answer_follows(trace(JAPAN, "B", ("reason", "So the answer is B.")), "choice") is True
    assert answer_follows(trace(JAPAN, "A", ("reason", "So the answer is B.")), "choice") is False
    assert answer_follows(trace(JAPAN, "A", ("reason", "They differ.")), "choice") is None
    assert answer_follows(trace(JAPAN, "A"), "choice") is None
    assert answer_follows(trace(LYON, "Paris", ("reason", "They differ.")), "text") is None
