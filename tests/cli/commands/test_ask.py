"""What `memreason ask` prints."""

import json
from pathlib import Path

import pytest

from memreason.cli.main import main
from memreason.config.model import ModelConfig
from memreason.models.build import build


def test_an_answer_as_one_json_object_and_as_lines(
    bases: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(ModelConfig(model_name_or_path=str(bases["padded"]), dtype="float32"), 90).save(tmp_path)
    ask = ["ask", "Is Rome the capital of Italy?", "--model_name_or_path", str(tmp_path)]
    assert main([*ask, "--json"]) == 0
    trace = json.loads(capsys.readouterr().out)
    assert main(["ask", str(tmp_path), ask[1], "--json"]) == 0  # the checkpoint first, as other commands take it
    assert json.loads(capsys.readouterr().out) == trace
    assert main(["ask", str(tmp_path)]) == 2 and "the question is missing" in capsys.readouterr().err
    assert set(trace) == {"steps", "answer", "well_formed", "truncated"}
    assert main(ask) == 0
    page = capsys.readouterr().out
    assert all(step["text"].split()[0] in page for step in trace["steps"] if step["text"].split())


@pytest.mark.parametrize("command", ["ask", "attention"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runs/none", "Is Rome old?"], "checkpoint runs/none: no such folder"),
        (["Is", "Rome", "old?"], 'put the question in quotes: memreason COMMAND "Is Rome old?"'),
    ],
)
def test_a_missing_checkpoint_and_missing_quotes_are_told_apart(
    command: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *words]) == 2
    assert message.replace("COMMAND", command) in capsys.readouterr().err
