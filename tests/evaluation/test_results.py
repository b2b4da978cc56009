"""Results as types, and as JSON in metrics.json: now, and as older versions wrote it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from helpers.traces import CUT, LOOSE, RIGHT, WRONG, judge

from memreason.errors import UserError
from memreason.evaluation.judge import judge_traces
from memreason.evaluation.metrics import compute_metrics
from memreason.evaluation.results import (
    EvaluationResult,
    Marks,
    Metrics,
    RunResult,
    ScoreResult,
    ValidationResult,
    read_result,
)
from memreason.evaluation.training_account import TrainingAccount

SEEN = compute_metrics(judge_traces([RIGHT, WRONG], "mixed", judge))
UNSEEN = compute_metrics(judge_traces([LOOSE, CUT, WRONG], "mixed", judge))
BOTH = compute_metrics(judge_traces([RIGHT, WRONG, LOOSE, CUT, WRONG], "mixed", judge))
UNJUDGED = compute_metrics(judge_traces([RIGHT, WRONG], "mixed"))
ONE = EvaluationResult(UNJUDGED, {"test": UNJUDGED}, "float32")
TWO = EvaluationResult(BOTH, {"seen": SEEN, "unseen": UNSEEN}, "float32")
RUN = RunResult(TWO, TWO, ValidationResult(2.0, SEEN), TrainingAccount(9, 99, ("a",), (), 3))
SCORE = ScoreResult(BOTH, TWO.splits, 1, ("a",), {"b": 2}, ("c",), Marks(2, 1, 1, ("d",)))


@pytest.mark.parametrize("result", [ONE, TWO, RUN, RunResult(None, ONE, None, TrainingAccount(1, 2)), SCORE])
def test_what_is_written_reads_back_the_same(result, tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(result.to_json()))
    assert read_result(type(result), path) == result


def test_a_runs_file_has_metrics_by_split_and_those_over_all_splits_apart():
    row = RUN.to_json()
    assert row["after"] == {"seen": SEEN.to_json(), "unseen": UNSEEN.to_json()}
    assert row["overall"] == {"before": BOTH.to_json(), "after": BOTH.to_json()}
    assert row["validation"] == {"epoch": 2.0, **SEEN.to_json()}
    assert row["training"]["too_long"] == ["a"] and row["training"]["rows"] == 3


def test_what_no_judge_read_is_left_out_and_a_rate_over_nothing_is_null():
    assert "memory_true" not in UNJUDGED.to_json() and not UNJUDGED.judged
    row = compute_metrics(judge_traces([CUT], "mixed", judge)).to_json()
    assert row["answer_follows"] is None and row["errors_by_cause"] == {}


class TestFilesOfFormat1:
    """Which did not say their format."""

    def test_an_evaluation(self) -> None:
        assert EvaluationResult.from_json({**UNJUDGED.to_json(), "dtype": "float32", "split": "test"}) == ONE
        splits = {"seen": SEEN.to_json(), "unseen": UNSEEN.to_json()}
        assert EvaluationResult.from_json({**BOTH.to_json(), "dtype": "float32", "splits": splits}) == TWO

    def test_a_score(self) -> None:
        row = SCORE.to_json()
        del row["format"], row["overall"]
        of_one = ScoreResult.from_json({**row, **BOTH.to_json(), "splits": {"test": 5}})
        assert of_one.overall == BOTH and of_one.splits == {"test": BOTH}
        of_two = ScoreResult.from_json({**row, **BOTH.to_json(), "splits": {"seen": 2, "unseen": 3}})
        assert of_two.overall == BOTH and of_two.splits == {}
        assert of_two.marked == SCORE.marked and of_two.missing == SCORE.missing

    def test_a_run_on_one_split(self) -> None:
        after = {"test": {**UNJUDGED.to_json(), "dtype": "float32", "split": "test"}}
        row = {"after": after, "training": {"examples": 1, "tokens": 2}, "validation": None}
        assert RunResult.from_json(row) == RunResult(None, ONE, None, TrainingAccount(1, 2))

    def test_a_run_on_two_splits_whose_rates_stood_among_them(self) -> None:
        splits: dict[str, Any] = {"seen": SEEN.to_json(), "unseen": UNSEEN.to_json()}
        rates = {name: getattr(BOTH, name) for name in ("memory_true", "reason_valid", "errors_by_cause")}
        validation = {"epoch": 2.0, **SEEN.to_json(), "dtype": "float32", "split": "validation"}
        training = {"examples": 9, "tokens": 99, "too_long": ["a"], "without_steps": [], "rows": 3}
        row = {"before": splits, "after": splits | rates, "validation": validation, "training": training}
        run = RunResult.from_json(row)
        assert run.after.splits == TWO.splits and run.validation == RUN.validation and run.training == RUN.training
        unknown = dict.fromkeys(
            ("memory_unreadable", "reason_unreadable", "answer_follows", "grounds", "kinds", "types_fit")
        )
        assert run.after.overall == Metrics.from_json(BOTH.to_json() | unknown)
        assert run.before is not None and run.before.overall.memory_true is None


@pytest.mark.parametrize("result", [TWO, RUN, SCORE], ids=lambda result: type(result).__name__)
def test_a_file_of_format_2_lacks_what_right_answers_rest_on(result):
    """Its `errors_by_cause` counted first faults."""
    newer = ("grounds", "kinds", "types_fit")
    row = json.loads(
        json.dumps({**result.to_json(), "format": 2}),
        object_hook=lambda fields: {name: value for name, value in fields.items() if name not in newer},
    )
    read = type(result).from_json(row)
    overall = read.after.overall if isinstance(read, RunResult) else read.overall
    assert overall == replace(BOTH, **dict.fromkeys(newer)) and overall.judged


@pytest.mark.parametrize("kind", [EvaluationResult, RunResult, ScoreResult])
def test_a_format_to_come_is_refused_by_name(kind):
    with pytest.raises(UserError, match=r"^runs/a/metrics.json: format 7 is not known here, newest is 3; update memr"):
        kind.from_json({"format": 7}, "runs/a/metrics.json")


@pytest.mark.parametrize(
    "row",
    [{}, RUN.to_json(), {**ONE.to_json(), "overall": 7}, {**ONE.to_json(), "splits": {"a": {}}}, {"format": True},
     {**ONE.to_json(), "overall": {**UNJUDGED.to_json(), "n": 7}},
     {**ONE.to_json(), "overall": {**UNJUDGED.to_json(), "accuracy": 10**400}},
     {**ONE.to_json(), "overall": {**UNJUDGED.to_json(), "interval": [0.1, float("nan")]}},
     {**ONE.to_json(), "overall": {**UNJUDGED.to_json(), "memory_true": 0.5}},
     {**ONE.to_json(), "overall": {**UNJUDGED.to_json(), "steps": {"memory": -1}}}],
)  # fmt: skip
def test_what_is_no_evaluation_is_the_users_error(row):
    with pytest.raises(UserError, match=r"^metrics.json: "):
        EvaluationResult.from_json(row)
