"""How far a judge agrees with the exact one."""

import pytest
from helpers.traces import LYON, trace

from memreason.evaluation.judged_by import Agreement
from memreason.explain.judges.agreement import agreement, agreement_of
from memreason.explain.judges.atlas import ExactJudge
from memreason.records import Judgement

TRACES = [trace(LYON, "True", ("memory", "A fact."), ("reason", "So."))] * 4


def judged(*memories):
    return [Judgement((memory, True, None), None) for memory in memories]


def test_precision_recall_and_kappa_are_of_false_steps():
    found = agreement_of("mine", judged(False, True, None, False), judged(False, False, True, True), TRACES, "some")
    memory = found.kinds["memory"]
    assert (memory.n, memory.unverifiable) == (4, 0.25)
    assert (memory.precision, memory.recall) == (0.5, 0.5)
    assert memory.kappa == pytest.approx(-0.5)
    assert memory.counts["false"] == {"true": 1, "false": 1, "unverifiable": 0}
    reason = found.kinds["reason"]
    assert (reason.n, reason.precision, reason.recall, reason.kappa) == (4, None, None, None)
    assert "answer" not in found.kinds  # the exact judge says nothing of it


def test_a_judge_that_is_always_right_has_a_kappa_of_1():
    both = judged(True, False, True, False)
    found = agreement_of("mine", both, both, TRACES, "some").kinds["memory"]
    assert (found.precision, found.recall, found.kappa, found.unverifiable) == (1, 1, 1, 0)


def test_causes_are_compared_where_the_answer_is_wrong():
    exact = [Judgement((True, True, None), cause) for cause in ("both", "false_memory", None, None)]
    ours = [Judgement((True, True, None), cause) for cause in ("false_memory", "false_memory", None, "both")]
    found = agreement_of("mine", ours, exact, TRACES, "some")
    assert (found.wrong, found.same_cause) == (2, 0.5)


def test_a_step_counts_as_what_it_says():
    exact = [Judgement((True, True, True), None, ("reason", "reason"))] * 4
    assert agreement_of("mine", exact, exact, TRACES, "some").kinds["reason"].n == 8


def test_two_judges_read_the_same_traces():
    judge = ExactJudge(lambda trace: judged(True)[0])
    found = agreement(judge, judge, TRACES, "made ones")
    assert (found.judge, found.on, found.traces) == ("atlas", "made ones", 4)
    assert Agreement.from_json(found.to_json()) == found
