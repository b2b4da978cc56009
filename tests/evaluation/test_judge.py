"""Traces → Verdicts."""

from helpers.traces import CUT, LOOSE, LYON, RIGHT, WRONG, judge

from memreason.evaluation.judge import judge_traces
from memreason.evaluation.metrics import compute_metrics
from memreason.planning_tokens.layout import PLAN_ONLY, PlanningTokens
from memreason.records import Step


def test_strict_and_flexible_are_judged_apart():
    right, loose, cut = judge_traces([RIGHT, LOOSE, CUT], "mixed")
    assert (right.strict, right.outcome, right.flexible_outcome) == ("False", "correct", "correct")
    assert (loose.strict, loose.outcome) == (None, "no_answer")
    assert (loose.flexible, loose.flexible_outcome) == ("B", "correct")
    assert (cut.outcome, cut.flexible_outcome) == ("no_answer", "no_answer")
    assert right.step_truth is None and right.cause is None


def test_a_cause_is_given_to_wrong_answers_only():
    right, wrong, cut = judge_traces([RIGHT, WRONG, CUT], "mixed", judge)
    assert wrong.step_truth == (False, None, True)
    assert wrong.cause == "false_memory"
    assert right.cause is None and cut.cause is None


def test_a_plan_without_steps_is_not_judged():
    layout = PlanningTokens(1, 1, ("memory", "reason"), PLAN_ONLY)
    plan = layout.parse(LYON, layout.solution_text((Step("memory", ""),), "False"))
    (verdict,) = judge_traces([plan], "boolean", judge)
    assert plan.well_formed and verdict.outcome == "correct"
    assert verdict.step_truth is None and not compute_metrics([verdict]).judged
