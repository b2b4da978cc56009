"""`memreason study`, from a recipe to a report."""

import json
from pathlib import Path

import pytest

from memreason.cli.main import main

RECIPE = """# memreason study tiny.yaml
arms:
  plain: {{add_soft_prompts: false, parameter_efficient_mode: lora}}
  typed: {{}}
shared:
  model_name_or_path: {base}
  dataset: jsonl
  data_path: {data}
  model_max_length: 96
  max_steps: 2
  use_cpu: true
"""


@pytest.fixture
def recipe(bases: dict[str, Path], data: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE.format(base=bases["tied"], data=data))
    return path


def test_the_plan_prints_the_commands_and_runs_nothing(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", str(recipe), "--output_dir", str(tmp_path / "study"), "--plan"]) == 0
    said = capsys.readouterr().out
    assert said.count("memreason train ") == 2 and "2 cells, 0 of them finished" in said
    assert not (tmp_path / "study").exists()


@pytest.mark.slow
def test_a_study_runs_what_is_asked_and_a_second_run_gives_the_same_traces(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = ["study", str(recipe), "--output_dir", str(tmp_path / "study")]
    assert main([*study, "--only", "plain"]) == 0
    assert "1 of 2 runs are finished" in capsys.readouterr().out
    assert main([*study, "--repeat", "plain/seed-42", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["checks"]["repeats"]["plain/seed-42"]["same"]
    assert results == json.loads((tmp_path / "study" / "results.json").read_text())
    assert [row["optimizer_steps"] for row in results["checks"]["digests"]] == [2]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--only", "plian"], "--only plian: there is no such cell"),
        (["--repeat", "plain"], "--repeat plain/seed-42: not finished yet"),
        (["--worker", "5/4"], "--worker 5/4: say 1/4"),
        (["--plan", "--results_only"], "--plan with --results_only: say one"),
        (["--results_only"], "no cell is finished yet"),
        (["--parallel", "0"], "--parallel 0: must be at least 1"),
    ],
)
def test_what_cannot_be_done_is_said(
    more: list[str], message: str, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", str(recipe), "--output_dir", str(tmp_path / "study"), *more]) == 2
    assert message in capsys.readouterr().err


def test_a_recipe_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "study-atlass"]) == 2
    assert "did you mean study-atlas?" in capsys.readouterr().err
