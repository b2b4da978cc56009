"""The files of an evaluation."""

import json

import pytest
from helpers.traces import CUT, LAYOUT, LYON, RIGHT, WRONG, judge

from memreason.errors import UserError
from memreason.evaluation.files import check_folder, read_traces, write_result, write_traces
from memreason.evaluation.judge import judge_traces
from memreason.evaluation.metrics import compute_metrics
from memreason.evaluation.results import EvaluationResult, read_result
from memreason.records import Solution, Step


def test_an_evaluation_is_three_files(tmp_path):
    verdicts = judge_traces([RIGHT, WRONG], "mixed", judge)
    solution = Solution(LYON, (Step("memory", "The capital of France is Paris."),))
    overall, splits = write_traces(tmp_path / "out", verdicts, [solution] * 2, ["test"] * 2, LAYOUT)
    result = EvaluationResult(overall, splits, "float32")
    write_result(tmp_path / "out", result)
    assert read_result(EvaluationResult, tmp_path / "out/metrics.json") == result
    assert splits == {"test": overall} and overall.n == 2
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


@pytest.mark.parametrize(
    "damage",
    [{"step_truth": []}, {"step_truth": [True]}, {"step_kinds": ["memory"] * 9}, {"step_kinds": ["answer", None]},
     {"cause": "bad luck"}, {"grounds": "bad luck"}, {"step_logprobs": [-0.5]},
     {"step_logprobs": [-0.5, float("nan"), -0.5]}],
)  # fmt: skip
def test_judgements_that_are_none_of_these_steps_are_told(tmp_path, damage):
    path = tmp_path / "traces.jsonl"
    row = judge_traces([RIGHT], "mixed", judge)[0].to_json()
    path.write_text(json.dumps(row) + "\n")
    assert len(read_traces(path)) == 1
    path.write_text(json.dumps(row | damage) + "\n")
    with pytest.raises(UserError, match=rf"traces\.jsonl:1.*{next(iter(damage))}"):
        read_traces(path)


def test_half_a_character_in_a_trace_is_told(tmp_path):
    path = tmp_path / "traces.jsonl"
    row = judge_traces([RIGHT], "mixed", judge)[0].to_json()
    path.write_text(json.dumps(row | {"generated_text": "\ud83d"}) + "\n")
    with pytest.raises(UserError, match=r"traces\.jsonl:1: half of a surrogate pair"):
        read_traces(path)


def test_metrics_by_split_are_those_of_each_splits_verdicts(tmp_path):
    of_a, of_b = judge_traces([RIGHT], "mixed", judge), judge_traces([WRONG, CUT], "mixed")
    verdicts = iter([*of_a, *of_b])  # read once
    solutions = (Solution(v.trace.question) for v in (*of_a, *of_b))
    overall, splits = write_traces(tmp_path, verdicts, solutions, ["a", "b", "b"], LAYOUT)
    assert splits == {"a": compute_metrics(of_a), "b": compute_metrics(of_b)}
    assert overall.n == 3


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
