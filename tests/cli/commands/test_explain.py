"""What `memreason explain` prints."""

import json
from pathlib import Path

import pytest
from helpers.recorded_runs import RUPEE, SHILLING, make_run

from memreason.cli.main import main


def test_a_summary_or_everything_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", [RUPEE], before=[SHILLING])
    assert main(["explain", str(run), "--no_model", "--json"]) == 0
    explanation = json.loads(capsys.readouterr().out)
    assert explanation == json.loads((run / "explanation" / "explanation.json").read_text())
    assert main(["explain", str(run), "--no_model"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "100.0 [21, 100] 0.0 [0, 79] -100.0" in page
    assert "false memory 1" in page
    assert all(sentence in page for sentence in explanation["sentences"])
    assert "report.html" in page


def test_another_judge_is_named_with_how_far_it_can_be_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, facts = make_run(tmp_path / "run", [RUPEE]), tmp_path / "facts.jsonl"
    facts.write_text('{"statement": "The currency of Kenya is the rupee.", "true": false}\n')
    assert main(["explain", str(run), "--no_model", "--facts", str(facts)]) == 0
    page = capsys.readouterr().out
    assert "judge of the steps: facts; how it finds false ones, measured on" in page
    assert "memory  1" in page and "100.0%" in page


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(tmp_path)]) == 2
    assert "give the folder that `memreason train` wrote" in capsys.readouterr().err
