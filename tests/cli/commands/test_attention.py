"""What `memreason attention` prints and writes."""

import json
from pathlib import Path

import pytest
from helpers.attributed import trace_of, unit_of

from memreason.cli.main import main
from memreason.explain.attention.base import Attribution
from memreason.records import Verdict
from memreason.runtime.files import write_jsonl


@pytest.fixture(scope="module")
def checkpoint(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    unit = unit_of(bases["tied"])
    unit.save(folder)
    verdicts = [Verdict(trace_of(unit, number), None, None, "incorrect", "incorrect") for number in (0, 1)]
    write_jsonl(folder / "traces.jsonl", [{**verdict.to_json()} for verdict in verdicts])
    return folder


def test_a_question_is_answered_and_what_was_read_is_drawn(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "Is Rome the capital of Italy?"
    assert main(["attention", str(checkpoint), question, "--layer", "1", "--head", "2", "--output", str(tmp_path)]) == 0
    page = capsys.readouterr().out
    assert "by kind of token" in page and "question" in page and "MB (computed)" in page
    assert {"attribution.npz", "head.png", "head.svg", "steps.png", "steps.svg"} <= {
        one.name for one in tmp_path.iterdir()
    }
    assert Attribution.load(tmp_path / "attribution.npz").head == (1, 2)


def test_a_recorded_trace_is_read_again_as_it_is(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["attention", str(checkpoint), "--trace", str(checkpoint / "traces.jsonl"), "--output", str(tmp_path)]
    assert main([*command, "--id", "q1", "--method", "grad_x_input", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["method"] == "grad_x_input" and [span["step"] for span in found["spans"]] == [None, None, 0, 1, None]
    assert main([*command, "--id", "q9"]) == 2
    assert "--id q9" in capsys.readouterr().err
    assert main(command) == 2
    assert "holds 2 traces; say which one with --id" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give a question"),
        (["Hi?", "--trace", "t.jsonl"], "not both"),
        (["Hi?", "--id", "3"], "--trace FILE"),
        (["Hi?", "--layer", "1"], "go together"),
        (["Hi?", "--layer", "1", "--head", "0", "--method", "rollout"], "are for --method attention"),
        (["--trace", "t.jsonl", "--options", "a", "b"], "has its own"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attention", *words]) == 2
    assert message in capsys.readouterr().err
