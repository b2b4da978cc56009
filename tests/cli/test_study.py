"""`memreason study`, from a recipe to a report."""

import json
import shlex
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


def test_the_plan_is_short_and_runs_nothing(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = ["study", str(recipe), "--output_dir", str(tmp_path / "study")]
    assert main([*study, "--plan"]) == 0
    said = capsys.readouterr().out
    assert "2 runs in all, 0 of them finished" in said and "--commands" in said
    assert "plain  1 run               --add_soft_prompts false --parameter_efficient_mode lora" in said
    assert "memreason train " not in said and "Smallest true differences in accuracy" in said
    assert main([*study, "--plan", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert main([*study, "--commands"]) == 0
    commands = [line for line in capsys.readouterr().out.splitlines() if line.startswith("memreason train ")]
    assert commands == [command for cell in plan["cells"] for command in cell["commands"]] and len(commands) == 2
    assert not (tmp_path / "study").exists()


@pytest.mark.slow
def test_a_command_run_by_hand_is_a_cell_and_its_second_run_gives_the_same_traces(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = ["study", str(recipe), "--output_dir", str(tmp_path / "study")]
    assert main([*study, "--commands"]) == 0
    command = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("memreason train"))
    assert main(shlex.split(command)[1:]) == 0
    capsys.readouterr()
    assert main([*study, "--repeat", "plain/seed-42", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["checks"]["repeats"]["plain/seed-42"]["same"]
    assert results["checks"]["missing"] == ["typed/seed-42"]
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


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("splits: [tets]", "tiny.yaml: splits: tets is none of test; did you mean test?"),
        ("cluster: country", "tiny.yaml: cluster: the field 'country' is not known for"),
        ("by: colour", "tiny.yaml: by: the field 'colour' is not known for"),
    ],
)
def test_a_split_or_a_field_that_the_dataset_does_not_have_is_named_before_anything_runs(
    key: str, message: str, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(f"{recipe.read_text()}{key}\n")
    assert main(["study", str(recipe), "--output_dir", str(tmp_path / "study")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "study").exists()


def test_a_recipe_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "study-atlass"]) == 2
    assert "did you mean study-atlas?" in capsys.readouterr().err
