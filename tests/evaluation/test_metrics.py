"""Verdicts → Metrics."""

from dataclasses import replace

import pytest
from helpers.traces import CUT, LOOSE, LYON, RIGHT, WRONG, judge

from memreason.errors import UserError
from memreason.evaluation.judge import judge_traces
from memreason.evaluation.metrics import compute_metrics
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Judgement, Step


def test_metrics_count_and_rate():
    result = compute_metrics(judge_traces([RIGHT, WRONG, LOOSE, CUT], "mixed"))
    assert (result.n, result.correct, result.incorrect, result.no_answer) == (4, 1, 1, 2)
    assert result.accuracy == 0.25 and result.flexible_accuracy == 0.5
    assert result.well_formed == 0.75 and result.truncated == 0.25
    assert result.steps == {"memory": 4, "reason": 2}
    assert not result.judged


def test_the_interval_is_wilsons():
    # By hand: n=4, p=1/4, z=1.96: (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    low, high = compute_metrics(judge_traces([RIGHT, WRONG, LOOSE, CUT], "mixed")).interval
    assert low == pytest.approx(0.0456, abs=1e-4) and high == pytest.approx(0.6994, abs=1e-4)


def test_judged_metrics_count_unreadable_steps_as_not_true():
    result = compute_metrics(judge_traces([RIGHT, WRONG, LOOSE, CUT], "mixed", judge))
    assert result.memory_true == 0.75 and result.memory_unreadable == 0
    assert result.reason_valid == 0 and result.reason_unreadable == 1
    assert result.answer_follows == 1  # of the three that have an answer line
    assert result.errors_by_cause == {"false_memory": 1}


def test_steps_are_counted_by_what_they_say_and_else_by_their_type():
    steps = ("memory", "reason", "reason", "step", "memory")
    trace = replace(RIGHT, steps=tuple(Step(type_, "…") for type_ in steps))
    said = Judgement((True, False, True, None, None, True), None, ("memory", "memory", "reason", "reason", None), None)
    result = compute_metrics(judge_traces([trace], "boolean", lambda trace: said))
    assert result.kinds == {"memory": 3, "reason": 2}
    assert result.memory_true == result.memory_unreadable == 1 / 3
    assert result.reason_valid == result.reason_unreadable == 1 / 2
    assert result.types_fit == 2 / 3, "of the three readable steps that are typed memory or reason"
    assert result.grounds == {"lucky": 1} and result.errors_by_cause == {}


def test_a_rate_over_nothing_is_none():
    plain = PlanningTokens().parse(LYON, "The answer is: False")
    assert compute_metrics(judge_traces([plain], "boolean", judge)).memory_true is None


def test_metrics_of_nothing_are_the_users_error():
    with pytest.raises(UserError, match="no traces"):
        compute_metrics([])
