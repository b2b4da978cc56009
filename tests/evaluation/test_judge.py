"""Traces → Verdicts → metrics, and the files that hold them."""

import json

import pytest
from helpers.traces import CUT, LAYOUT, LOOSE, LYON, RIGHT, WRONG, judge

from memreason.errors import UserError
from memreason.evaluation.judge import check_folder, judge_traces, metrics, read_traces, write_evaluation
from memreason.planning_tokens.layout import PLAN_ONLY, PlanningTokens
from memreason.records import Solution, Step


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


def test_metrics_count_and_rate():
    result = metrics(judge_traces([RIGHT, WRONG, LOOSE, CUT], "mixed"))
    assert (result["n"], result["correct"], result["incorrect"], result["no_answer"]) == (4, 1, 1, 2)
    assert result["accuracy"] == 0.25 and result["flexible_accuracy"] == 0.5
    assert result["well_formed"] == 0.75 and result["truncated"] == 0.25
    assert result["steps"] == {"memory": 4, "reason": 2}
    assert "memory_true" not in result


def test_the_interval_is_wilsons():
    # By hand: n=4, p=1/4, z=1.96: (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    low, high = metrics(judge_traces([RIGHT, WRONG, LOOSE, CUT], "mixed"))["interval"]
    assert low == pytest.approx(0.0456, abs=1e-4) and high == pytest.approx(0.6994, abs=1e-4)


def test_judged_metrics_count_unreadable_steps_as_not_true():
    result = metrics(judge_traces([RIGHT, WRONG, LOOSE, CUT], "mixed", judge))
    assert result["memory_true"] == 0.75 and result["memory_unreadable"] == 0
    assert result["reason_valid"] == 0 and result["reason_unreadable"] == 1
    assert result["answer_follows"] == 1  # of the three that have an answer line
    assert result["errors_by_cause"] == {"false_memory": 1}


def test_a_rate_over_nothing_is_none():
    plain = PlanningTokens().parse(LYON, "The answer is: False")
    assert metrics(judge_traces([plain], "boolean", judge))["memory_true"] is None


def test_a_plan_without_steps_is_not_judged():
    layout = PlanningTokens(1, 1, ("memory", "reason"), PLAN_ONLY)
    plan = layout.parse(LYON, layout.solution_text((Step("memory", ""),), "False"))
    (verdict,) = judge_traces([plan], "boolean", judge)
    assert plan.well_formed and verdict.outcome == "correct"
    assert verdict.step_truth is None and "memory_true" not in metrics([verdict])


def test_metrics_of_nothing_are_the_users_error():
    with pytest.raises(UserError, match="no traces"):
        metrics([])


def test_an_evaluation_is_three_files(tmp_path):
    verdicts = judge_traces([RIGHT, WRONG], "mixed", judge)
    solution = Solution(LYON, (Step("memory", "The capital of France is Paris."),))
    result = write_evaluation(tmp_path / "out", verdicts, [solution] * 2, layout=LAYOUT, extra={"seed": 7})
    assert json.loads((tmp_path / "out/metrics.json").read_text()) == result
    assert result["seed"] == 7 and result["n"] == 2
    assert read_traces(tmp_path / "out/traces.jsonl") == verdicts
    first = (tmp_path / "out/traces.txt").read_text().split("=" * 80)[0]
    assert first.strip() == (
        "Question: Is Lyon the capital of France?\n\n"
        "<prefix_0><memory_0> Paris is the capital.\n"
        "<prefix_0><reason_0> Lyon is not Paris.\n"
        "<prefix_0><answer_0> The answer is: False\n\n"
        "<prefix_0><memory_0> The capital of France is Paris.\n"
        "<prefix_0><answer_0> The answer is: False"
    )
    rules = [line for line in (tmp_path / "out/traces.txt").read_text().splitlines() if line.startswith("=")]
    assert rules[0].endswith(" first the model's (correct), then the gold solution")


def test_reading_traces_says_where_and_what(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_traces(tmp_path / "traces.jsonl")
    path = tmp_path / "traces.jsonl"
    row = judge_traces([RIGHT], "boolean")[0].to_json()
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, "gold": 1, "steps": [{"a": 1}]}) + "\n")
    with pytest.raises(UserError, match=r"traces\.jsonl:2"):
        read_traces(path)
    path.write_text('{"id": "q1"}\n')
    with pytest.raises(UserError, match=r"traces\.jsonl:1.*question"):
        read_traces(path)


def test_metrics_by_split_are_those_of_each_splits_verdicts(tmp_path):
    of_a, of_b = judge_traces([RIGHT], "mixed", judge), judge_traces([WRONG, CUT], "mixed")
    verdicts = iter([*of_a, *of_b])  # read once
    solutions = (Solution(v.trace.question) for v in (*of_a, *of_b))
    result = write_evaluation(tmp_path, verdicts, solutions, layout=LAYOUT, splits={"a": 1, "b": 2})
    assert result["splits"] == {"a": metrics(of_a), "b": metrics(of_b)}
    assert result["n"] == 3


@pytest.mark.parametrize("name", ["config.yaml", "memreason.json"])
def test_a_runs_own_folder_takes_no_evaluation(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"holds a run .{name}.*give another folder"):
        check_folder(tmp_path)
    check_folder(tmp_path / "in" / "it")
    assert not (tmp_path / "in" / "it").exists()


def test_where_nothing_can_be_written_is_told_before(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "in"):
        with pytest.raises(UserError, match=r"cannot be written to \(.*\); give another folder"):
            check_folder(folder)
