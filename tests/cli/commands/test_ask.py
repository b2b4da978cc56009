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
