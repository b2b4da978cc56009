"""Reading what a run recorded, and saying what is wrong with a folder that holds none."""

import json
from pathlib import Path

import pytest
from helpers.recorded_runs import KENYA, RUPEE, SHILLING, evaluated, make_run, trace

from memreason.config.data import DataConfig
from memreason.errors import UserError
from memreason.explain.recorded import read_recorded
from memreason.records import Question


def test_epochs_come_in_order_with_the_mean_loss_of_each(tmp_path: Path) -> None:
    run = read_recorded(make_run(tmp_path / "run", [SHILLING], epochs=[[RUPEE], [SHILLING], [SHILLING]]))
    assert [epoch.number for epoch in run.epochs] == [1, 2, 3]
    assert [epoch.metrics.accuracy for epoch in run.epochs] == [0, 1, 1]
    assert [epoch.loss for epoch in run.epochs] == [1.25, 2.25, 3.25]


def test_before_is_found_by_the_id_of_the_question(tmp_path: Path) -> None:
    run = read_recorded(make_run(tmp_path / "run", [SHILLING], before=[RUPEE]))
    assert run.before[KENYA.id].outcome == "incorrect" and run.traces[0].outcome == "correct"
    assert not read_recorded(make_run(tmp_path / "without", [SHILLING])).before


def test_a_run_that_was_evaluated_again_gives_the_metrics_of_its_traces(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [SHILLING])
    assert not read_recorded(folder).notes
    evaluated(folder / "evaluation", [RUPEE])
    run = read_recorded(folder)
    assert run.after_metrics.overall.correct == 0
    assert "evaluated again" in run.notes[0]


class TestAFolderThatCannotBeExplained:
    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no such folder; give the folder of a run"):
            read_recorded(tmp_path / "none")

    def test_no_run(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"is no run: it has no config.yaml, memreason.json, metrics.json"):
            read_recorded(tmp_path)

    def test_a_run_that_is_not_finished(self, tmp_path: Path) -> None:
        folder = make_run(tmp_path / "run", [SHILLING])
        (folder / "metrics.json").unlink()
        with pytest.raises(UserError, match=r"the run is not finished; go on with it .* --resume"):
            read_recorded(folder)

    def test_a_folder_within_a_run(self, tmp_path: Path) -> None:
        folder = make_run(tmp_path / "run", [SHILLING])
        with pytest.raises(UserError, match=f"give the run itself: memreason explain {folder}"):
            read_recorded(folder / "evaluation")
        with pytest.raises(UserError, match=f"give the run itself: memreason explain {folder}"):
            read_recorded(folder / "evaluation" / "traces.jsonl")

    def test_the_evaluation_of_a_base_model(self, tmp_path: Path) -> None:
        evaluated(tmp_path / "few-shot", [SHILLING])
        with pytest.raises(UserError, match=r"an evaluation, and no trained run: a base model has accuracy"):
            read_recorded(tmp_path / "few-shot")

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UserError, match="file is no folder; give the folder of a run"):
            read_recorded(tmp_path / "file")

    def test_no_traces(self, tmp_path: Path) -> None:
        folder = make_run(tmp_path / "run", [SHILLING])
        (folder / "evaluation" / "traces.jsonl").unlink()
        with pytest.raises(UserError, match="memreason evaluate"):
            read_recorded(folder)

    def test_traces_of_another_task(self, tmp_path: Path) -> None:
        other = trace(Question("q", "Is it?", "True", (), "strategyqa", "test"), "True", ("memory", "It is."))
        folder = make_run(tmp_path / "run", [other], data=DataConfig("jsonl", "mine.jsonl"))
        with pytest.raises(UserError, match="traces of strategyqa, and the run was trained on jsonl"):
            read_recorded(folder)

    def test_traces_that_the_metrics_do_not_count(self, tmp_path: Path) -> None:
        folder = make_run(tmp_path / "run", [SHILLING, RUPEE])
        path = folder / "evaluation" / "traces.jsonl"
        path.write_text(path.read_text().splitlines(keepends=True)[0])
        with pytest.raises(UserError, match=r"not those that metrics.json counts"):
            read_recorded(folder)


def test_metrics_of_an_older_form_are_read_and_noted(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [SHILLING])
    row = json.loads((folder / "metrics.json").read_text())
    row["after"]["test"] |= {"dtype": "float32"}
    del row["format"], row["overall"], row["dtype"]
    (folder / "metrics.json").write_text(json.dumps(row))
    run = read_recorded(folder)
    assert run.after_metrics.overall.accuracy == 1
    assert "metrics.json is of format 1" in run.notes[0]
