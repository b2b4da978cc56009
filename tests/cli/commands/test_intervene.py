"""What `memreason intervene` takes and prints."""

import json
from pathlib import Path

import pytest

from memreason.cli.main import main
from memreason.config.model import ModelConfig
from memreason.models.build import build

QUESTION = "Is Rome the capital of Italy?"


@pytest.fixture
def checkpoint(bases: dict[str, Path], tmp_path: Path) -> str:
    build(ModelConfig(model_name_or_path=str(bases["padded"]), dtype="float32"), 90).save(tmp_path / "run")
    return str(tmp_path / "run")


def test_one_answer_side_by_side_and_as_json(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["intervene", checkpoint, QUESTION, "--step", "1", "Rome is old.", "--type", "1", "reason"]
    assert main([*asked, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["question"] == QUESTION and row["given"] == 1
    assert row["after"]["steps"][0] == {"type": "reason", "text": "Rome is old."}
    assert main(asked) == 0
    page = capsys.readouterr().out
    assert "Rome is old." in page and "as the model answers" in page and "with the change" in page
    assert "the answer stays" in page or "the answer changes" in page
    assert main(["intervene", checkpoint, QUESTION, "--remove", "1"]) == 0
    assert any(
        line.rstrip().endswith(" -") for line in capsys.readouterr().out.splitlines()
    )  # nothing stands beside it


def test_many_at_once(checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edits, answers = tmp_path / "edits.jsonl", tmp_path / "answers.jsonl"
    rows = [
        {"question": QUESTION, "steps": {"1": {"type": "memory", "text": "Rome is old."}}},
        {"question": QUESTION, "steps": {"99": None}},
    ]
    edits.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert main(["intervene", checkpoint, "--edits", str(edits), "--output", str(answers)]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "1 answer edited" in page and "question 2: there is no step 99" in page
    first, second = map(json.loads, answers.read_text().splitlines())
    assert first["after"]["steps"][0]["text"] == "Rome is old." and second["error"]
    assert "as the model answers" not in page
    assert main(["intervene", checkpoint, "--edits", str(edits)]) == 0  # without a file, all are shown
    page = capsys.readouterr().out
    assert page.count("as the model answers") == 1 and page.index(QUESTION) < page.index("Rome is old.")
    assert main(["intervene", checkpoint, "--edits", str(edits), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [first, second]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([QUESTION], "say what is changed: --step 1"),
        (["--step", "1", "x"], "give the checkpoint and the question"),
        (["RUN", "--step", "1", "x"], "the question is missing"),
        (["RUN", QUESTION, "--step", "1"], "--step 1: give a number and a text"),
        (["RUN", QUESTION, "--step", "first", "x"], "--step: step 'first' is no number of a step"),
        (["RUN", QUESTION, "--step", "1", "x", "--remove", "1"], "--remove 1: the step is changed as well"),
        (["RUN", QUESTION, "--step", "1", "x", "--step", "01", "y"], "--step 01: the step is given twice"),
        (["RUN", QUESTION, "--edits", "e.jsonl"], "--edits holds the questions and what is changed"),
        (["RUN", QUESTION, "--remove", "1", "--output", "o.jsonl"], "--output o.jsonl: it goes with --edits"),
        (["RUN", QUESTION, "--step", "99", "x"], "there is no step 99: the model's answer has"),
    ],
)
def test_mistakes(checkpoint: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["intervene", *(checkpoint if word == "RUN" else word for word in arguments)]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
