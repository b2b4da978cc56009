"""Experiment trackers: what a run logs there is read back from local folders; a resumed run goes on where it was."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from helpers.runs import options
from helpers.tiny import SOLUTIONS

from memreason.errors import UserError
from memreason.evaluation.files import write_result, write_traces
from memreason.evaluation.metrics import compute_metrics
from memreason.evaluation.results import EvaluationResult
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Question, Trace, Verdict
from memreason.training import train as stage
from memreason.training.run_folder import LOGS
from memreason.training.trackers import SAMPLES, markdown, rates, sample_rows
from memreason.training.train import train

TEXT = "<memory_0> The capital of France is Rome.\n<reason_0> So | it is not."
JUDGED = [
    Verdict(
        Trace(replace(s.question, options=("yes", "no")), TEXT, s.steps, "False", well_formed=True, truncated=False),
        "False", "False", "incorrect", "incorrect", step_truth=(number == 0, True, None), cause="false_memory",
    )
    for number, s in enumerate(SOLUTIONS)
]  # fmt: skip
"""Every fourth memory is true, and every inference valid."""


class Logged(NamedTuple):
    """What a tracker has of a run."""

    scalars: dict[str, list[tuple[int, float]]]
    """Name → (step, value), as the tracker names it."""
    tables: list[str]
    """Each table of sample traces, as text."""
    config: str


def from_tensorboard(run: Path) -> Logged:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / LOGS))
    events.Reload()

    def texts(name: str) -> list[str]:
        return [event.tensor_proto.string_val[0].decode() for event in events.Tensors(f"{name}/text_summary")]

    scalars = {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
    return Logged(scalars, texts("traces"), *texts("config"))


def from_mlflow(run: Path) -> Logged:
    import mlflow

    (found,) = mlflow.search_runs(output_format="list")
    assert found.info.status == "FINISHED" and found.info.run_name == run.name
    client, run_id = mlflow.MlflowClient(), found.info.run_id
    scalars = {
        name: [(point.step, point.value) for point in client.get_metric_history(run_id, name)]
        for name in found.data.metrics
    }
    table = mlflow.load_table("traces.json", run_ids=[run_id])
    return Logged(scalars, [markdown(part.to_dict("records")) for _, part in table.groupby("epoch")],
                  "\n".join(f"{name}: {value}" for name, value in found.data.params.items()))  # fmt: skip


READERS: dict[str, tuple[Callable[[Path], Logged], str]] = {
    "tensorboard": (from_tensorboard, "/"),
    "mlflow": (from_mlflow, "_"),
}
"""Tracker → what reads it back, and what it puts between eval and the name of a metric."""


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's own trackers is used."""
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlflow").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")


@pytest.mark.slow
@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("tracker", READERS)
def test_a_run_that_was_stopped_and_goes_on_is_one_run_there_with_rates_and_tables_of_both_epochs(
    bases: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: str
) -> None:
    """What the model answers is laid down here, since an untrained one writes no steps to judge."""
    pytest.importorskip(tracker, reason=f"{tracker} is not installed")
    stopped = False

    def evaluated(unit: Any, task: Any, names: Sequence[str], folder: Path, *_: Any) -> tuple[Any, Any]:
        nonlocal stopped
        if folder.name == "epoch-2" and not stopped:
            stopped = True
            raise KeyboardInterrupt
        overall, splits = write_traces(folder, JUDGED, SOLUTIONS, names * len(JUDGED), unit.layout)
        result = EvaluationResult(overall, splits, "float32")
        write_result(folder, result)
        return result, JUDGED

    def start(**more: Any) -> None:
        train(*options(bases["tied"], data, tmp_path / "run", report_to=tracker, logging_steps=1, **more))

    monkeypatch.setattr(stage, "evaluate_splits", evaluated)
    with pytest.raises(KeyboardInterrupt):
        start()
    start(resume=True)

    read, between = READERS[tracker]
    logged = read(tmp_path / "run")
    (losses,) = (values for name, values in logged.scalars.items() if name in ("loss", "train/loss"))
    assert {step for step, _ in losses} == {1, 2, 3, 4} and all(loss > 0 for _, loss in losses)
    for name, value in {"acc": 0.0, "well_formed": 1.0, "memory_true": 0.25, "reason_valid": 1.0}.items():
        assert logged.scalars[f"eval{between}{name}"] == [(2, value), (4, value)]
        assert logged.scalars[f"test{between}{name}"] == [(4, value)]
    assert len(logged.tables) == 2
    for table in logged.tables:
        assert all(solution.question.id in table for solution in SOLUTIONS)
        assert "&lt;memory_0&gt; The capital of France is Rome.<br>" in table and "false memory" in table
    assert "lora_r: 8" in logged.config and "dataset: jsonl" in logged.config


@pytest.mark.usefixtures("local")
def test_a_tracker_that_cannot_be_reached_is_named_before_any_training(
    bases: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://at-all")
    with pytest.raises(UserError, match=r"--report_to mlflow: no run could be opened there \(.*go on with --resume"):
        train(*options(bases["tied"], data, tmp_path / "run", report_to="mlflow"))
    assert not list((tmp_path / "run").glob("checkpoint-*"))


def test_rates_that_no_judge_gave_are_not_logged() -> None:
    assert rates(compute_metrics([replace(v, step_truth=None) for v in JUDGED]), "eval_") == {
        "eval_acc": 0.0, "eval_well_formed": 1.0,
    }  # fmt: skip


def test_the_table_has_the_first_traces_with_what_the_judge_says_of_each_step(tmp_path: Path) -> None:
    question = Question("q", "Is Lyon | the <capital>?", "False", ("yes", "no"))
    trace = Trace(question, TEXT, SOLUTIONS[0].steps, "False", well_formed=True, truncated=False)
    verdict = Verdict(trace, "False", "False", "no_answer", "correct", (True, None, False), "wrong_inference")
    many = [verdict] * (SAMPLES + 1)
    write_traces(tmp_path, many, [SOLUTIONS[0]] * len(many), ["test"] * len(many), PlanningTokens())
    rows = sample_rows(tmp_path / "traces.jsonl", 1.0)
    assert len(rows) == SAMPLES and rows[0] == {
        "epoch": 1.0, "id": "q", "question": "Is Lyon | the <capital>?\nA. yes\nB. no", "gold": "False", "trace": TEXT,
        "outcome": "no answer", "well_formed": True, "step_truth": "true, ?, false", "cause": "wrong inference",
    }  # fmt: skip
    lines = markdown(rows[:1]).splitlines()
    assert lines[0].startswith("| epoch | id | question |") and len(lines) == 3
    assert lines[2].count(" | ") == lines[0].count(" | ")
    assert "Is Lyon &#124; the &lt;capital&gt;?<br>A. yes" in lines[2]
