"""What an explanation needs the model for: on a small run that is complete, from the files of the folder alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS
from helpers.units import config, train_a_little

from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.run import RunConfig, write_config
from memreason.errors import UserError
from memreason.evaluation.evaluate import evaluate_splits
from memreason.evaluation.files import write_result
from memreason.evaluation.results import RunResult
from memreason.evaluation.training_account import TrainingAccount
from memreason.explain.config import FOR_COMPARISONS, ExplainConfig
from memreason.explain.explanation import Explanation
from memreason.explain.judged import Judged
from memreason.explain.recorded import read_recorded
from memreason.explain.run import explain
from memreason.explain.with_model import compute
from memreason.generation.options import GenerationOptions
from memreason.models.build import build
from memreason.records import Judgement, Trace, Verdict
from memreason.tasks.load import load_data

DATA = {"model_max_length": 96, "num_test": 0}


def make_run(folder: Path, base: Path, data: Path, steps: int, ablations: AblationConfig | None = None) -> Path:
    """A run of all weights, which needs no base model."""
    model, questions = config(base, "none"), DataConfig("jsonl", str(data), **DATA)
    unit = build(model, 96, 0, ablations)
    train_a_little(unit, steps)
    unit.save(folder)
    write_config(folder, RunConfig(model, ablations or AblationConfig(), questions))
    task = load_data(questions)
    after, _ = evaluate_splits(unit, task, ["test"], folder / "evaluation", GenerationOptions(4), progress=False)
    write_result(folder, RunResult(None, after, None, TrainingAccount(4, 100)))
    return folder


@pytest.fixture(scope="module")
def questions(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's data, to be edited."""
    return shutil.copytree(data, tmp_path_factory.mktemp("questions") / "data")


@pytest.fixture(scope="module")
def run(bases: dict[str, Path], questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that learnt the solutions somewhat, and writes them with mistakes."""
    return make_run(tmp_path_factory.mktemp("runs") / "run", bases["tied"], questions, steps=40)


@pytest.fixture(scope="module")
def explanation(run: Path) -> Explanation:
    return explain(ExplainConfig(str(run), samples=2, attention=2), progress=False).explanation


def test_the_recorded_answers_are_repeated_and_the_control_changes_nothing(explanation: Explanation) -> None:
    assert explanation["run"]["regenerated"] == explanation["run"]["recorded_repeated"] == len(SOLUTIONS)
    control = explanation["interventions"]["no_edit"]
    assert control["n"] == len(SOLUTIONS) and control["changed"] == 0
    assert explanation["notes"] == []
    assert explanation["sentences"][2].startswith("With its memories corrected the model would answer")


def test_every_trace_has_what_was_found_about_it(explanation: Explanation) -> None:
    for row in explanation["traces"]:
        assert all(step["logprob"] < 0 for step in row["steps"]) and row["answer_logprob"] < 0
        assert row["edits"]["no_edit"]["answer"] == row["answer"]
        assert len(row["importance"]) == len(row["steps"])
    assert sum(row["attention"] is not None for row in explanation["traces"]) == explanation["attention"]["n"] == 2
    assert explanation["importance"]["n"] == len(SOLUTIONS) and "traces" not in explanation["importance"]
    wrong = sum(row["outcome"] == "incorrect" for row in explanation["traces"])
    assert explanation["attribution"]["n"] == wrong


def test_a_second_call_needs_no_model(run: Path, questions: Path, explanation: Explanation, tmp_path: Path) -> None:
    moved = shutil.copytree(run, tmp_path / "run")
    (moved / "model.safetensors").unlink()
    assert explain(ExplainConfig(str(moved), samples=2, attention=2), progress=False).explanation == explanation
    with pytest.raises(UserError, match="--no_model explains the run without its model"):
        explain(ExplainConfig(str(moved), samples=3), progress=False)
    kept = sorted(path.name for path in (moved / "explanation" / "parts").iterdir())
    assert [name.split("-")[0] for name in kept] == [
        "answers",
        "attention",
        "attribution",
        "importance",
        "interventions",
    ]
    solutions = questions / "test.jsonl"
    labelled = solutions.read_text()
    solutions.write_text(labelled.replace("The capital of France is", "France has the capital"))
    with pytest.raises(UserError, match="--no_model explains the run without its model"):
        explain(ExplainConfig(str(moved), samples=2, attention=2), progress=False)
    solutions.write_text(labelled)


def test_fewer_questions_and_parts(run: Path, explanation: Explanation, tmp_path: Path) -> None:
    asked = ExplainConfig(str(run), parts=["attribution"], num_test=2, attention=0, output_dir=str(tmp_path / "out"))
    found = explain(asked, progress=False).explanation
    assert found["run"]["regenerated"] == 2
    assert found["interventions"] is found["importance"] is found["attention"] is None
    assert found["attribution"]["n"] <= 2 and len(found["traces"]) == len(SOLUTIONS)
    assert found["metrics"] == explanation["metrics"]


def test_a_model_whose_answers_cannot_be_edited_is_explained_as_far_as_it_goes(
    bases: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", bases["tied"], data, 0, AblationConfig(plan_first=True))
    found = explain(ExplainConfig(str(run)), progress=False).explanation
    assert found["interventions"] is None and found["importance"] is None and found["attribution"] is None
    assert found["run"]["regenerated"] == len(SOLUTIONS)
    assert all("--plan_first" in note for note in found["notes"]) and found["notes"]


def test_some_interventions_are_made_without_the_others(run: Path, explanation: Explanation, tmp_path: Path) -> None:
    asked = ExplainConfig(
        str(run), parts=["interventions"], interventions=[*FOR_COMPARISONS], attention=0, output_dir=str(tmp_path)
    )
    found = explain(asked, progress=False).explanation
    assert found["interventions"] == {name: explanation["interventions"][name] for name in FOR_COMPARISONS}
    for row, whole in zip(found["traces"], explanation["traces"], strict=True):
        assert row["edits"] == {name: edit for name, edit in whole["edits"].items() if name in FOR_COMPARISONS}
        assert all(edit["followed"] in (True, False, None) for edit in row["edits"].values())
        assert row["tokens"] > row["planning_tokens"] > 0


def test_causes_are_those_of_one_judge(run: Path, questions: Path, tmp_path: Path) -> None:
    def exact(trace: Trace) -> Judgement:
        return Judgement((None,) * (len(trace.steps) + 1), "unreadable")

    task = replace(load_data(DataConfig("jsonl", str(questions), **DATA)), judge=exact)
    recorded = read_recorded(run)
    others = [
        replace(one, trace=replace(one.trace, text="of another machine"), cause="both") for one in recorded.traces
    ]
    config = ExplainConfig(str(run), parts=["attribution"], attention=0)

    def by_cause(verdicts: list[Verdict], is_exact: bool) -> list[str]:
        folder = tmp_path / f"{verdicts is others}-{is_exact}"
        found = compute(recorded, task, Judged(verdicts, [], is_exact), config, folder, progress=False)
        assert found.figures["attribution"]["n"] > 0
        return [*found.figures["attribution"]["by_cause"]]

    assert by_cause(others, True) == ["unreadable"]
    assert by_cause(others, False) == [], "that judge did not read the answers that the model gives now"
    same = [replace(one, cause="both") for one in recorded.traces]
    assert by_cause(same, False) == ["both"]
