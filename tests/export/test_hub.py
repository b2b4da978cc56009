"""What is published is loaded again from a stand-in for the hub, by the code that the card shows."""

import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import yaml
from helpers.hub_server import TOKEN, Hub
from helpers.tiny import SOLUTIONS, make_base, teach
from helpers.units import config, train_a_little
from huggingface_hub import ModelCard

from memreason import load
from memreason.cli.main import main
from memreason.config.data import DataConfig
from memreason.config.run import RunConfig, write_config
from memreason.evaluation.judge import judge_traces
from memreason.evaluation.metrics import compute_metrics
from memreason.evaluation.results import EvaluationResult, RunResult
from memreason.evaluation.training_account import TrainingAccount
from memreason.export.run_record import read_run
from memreason.models.build import build
from memreason.runtime.files import write_json, write_jsonl


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, with the record of its evaluation, on a base model in a folder ``base`` beside it."""
    root = tmp_path_factory.mktemp("published")
    base, run = teach(make_base(root / "base", "tied"), 60), root / "runs" / "capitals"
    unit = build(config(base), 128)
    train_a_little(unit, 10)
    unit.save(run)
    model = config(base)
    write_config(run, RunConfig(model, data=DataConfig("jsonl", str(root / "data")), others={"hub_token": TOKEN}))
    verdicts = judge_traces(load(run).answer([solution.question for solution in SOLUTIONS]), "boolean")
    metrics = compute_metrics(verdicts)
    result = EvaluationResult(metrics, {"test": metrics}, "float32")
    write_json(run / "metrics.json", RunResult(None, result, None, TrainingAccount(4, 100)).to_json())
    write_jsonl(run / "evaluation" / "traces.jsonl", [each.to_json() for each in verdicts])  # type: ignore[misc]
    return run


def published(*arguments: object) -> dict:
    """The result of the command, which must print no token."""
    with redirect_stdout(StringIO()) as page, redirect_stderr(StringIO()) as errors:
        assert main(["export", *map(str, arguments), "--to", "hub", "--verify_questions", "1", "--json"]) == 0
    assert TOKEN not in page.getvalue() + errors.getvalue()
    return json.loads(page.getvalue())


@pytest.mark.slow
def test_what_is_published_is_loaded_by_the_code_of_its_card(checkpoint: Path, hub: Hub, tmp_path: Path) -> None:
    code = []
    for what in ("merged", "adapter"):
        folder = tmp_path / what
        name = f"me/capitals-{what}"
        result = published(checkpoint, "--push_to_hub", name, "--what", what, "--output_dir", folder)
        assert result["checks"]["published"] == f"{hub.url}/{name}"
        files = hub.repositories[name]
        assert set(files) - {".gitattributes"} == set(result["files"]) == {path.name for path in folder.iterdir()}
        for path, content in files.items():
            assert TOKEN.encode() not in content and str(checkpoint.parents[1]).encode() not in content, path
        card = ModelCard(files["README.md"].decode())
        assert (
            card.data.eval_results[0].metric_value
            == json.loads((checkpoint / "metrics.json").read_text())["overall"]["after"]["accuracy"]
        )
        assert yaml.safe_load(files["config.yaml"])["data_path"] == "data"
        code += re.findall(r"```python\n(.*?)```", card.text, re.DOTALL)
    assert len(code) == 4
    here = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path),
    }
    command = [sys.executable, "-c", "\nprint('=====')\n".join(code)]
    # The base model is a folder: it must lie in the working folder.
    ran = subprocess.run(command, cwd=checkpoint.parents[1], env=here, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    right = read_run(checkpoint).right
    assert right and right.trace.question != SOLUTIONS[0].question
    steps = "".join(f"{step}\n" for step in right.trace.steps) + f"{right.trace.answer}\n"
    plain = load(checkpoint).answer(SOLUTIONS[0].question).text.removeprefix("<prefix_0>") + "\n"
    assert ran.stdout.split("=====\n") == [steps, plain, steps, plain]


def test_a_repository_that_cannot_be_written_to_is_said_before_the_model_is_loaded(
    checkpoint: Path, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    hub.repositories["me/taken"] = {"pytorch_model.bin": b""}
    command = ["export", str(checkpoint), "--to", "hub", "--output_dir", str(tmp_path / "out")]
    assert main([*command, "--push_to_hub", "me/taken"]) == 2
    assert "--overwrite_repository" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
    assert not any(request.startswith("POST") for request in hub.seen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "hub"], "--push_to_hub OWNER/NAME"),
        (["--to", "hub", "--dry_run", "--push_to_hub", "a/b/c"], "no name for a repository"),
        (["--to", "merged", "--push_to_hub", "me/x"], "--push_to_hub is for --to hub"),
        (["--to", "merged", "--private", "True"], "--private is for --to hub"),
        (["--to", "hub", "--dry_run", "--what", "gguf"], "must be one of merged, adapter"),
    ],
)
def test_options_that_do_not_fit_each_other_are_refused(
    checkpoint: Path, options: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(["export", str(checkpoint), *options]) == 2
    assert message in capsys.readouterr().err
