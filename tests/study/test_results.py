"""Results of a study: made at any time, the same each time, with what is missing named."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.recorded_runs import ATLAS, RUPEE, SHILLING, evaluated, make_run
from helpers.studies import recipe

from memreason.errors import UserError
from memreason.evaluation.files import write_result
from memreason.evaluation.results import RunResult, read_result
from memreason.records import Trace
from memreason.study.cells import Cell, Step
from memreason.study.folder import StudyFolder
from memreason.study.plan import plan_of, power_in_words, power_tables
from memreason.study.progress import time_left
from memreason.study.recipe import Recipe
from memreason.study.repeat import compared
from memreason.study.results import Finished, results
from memreason.study.show import files
from memreason.study.write import write_results
from memreason.tasks.load import load_data

ARMS = {"few-shot": "{base: true}", "plain": "{}", "typed": "{lora_r: 4}"}
MORE = (
    "seeds: [1, 2]\nbaseline: plain\nsizes: [2]\ncurve_arms: [typed]\ntitle: Types & <tokens>\n"
    "measures: [accuracy, tokens]\n"
    "reported: {typed: {test: 0.78}}\n"
)


def traces(wrong: int) -> list[Trace]:
    """Answers to six questions, of which the first ``wrong`` are not right."""
    return [
        replace(RUPEE if place < wrong else SHILLING,
                question=replace(RUPEE.question, id=f"q{place}", text=f"Is {place} right?"))
        for place in range(6)
    ]  # fmt: skip


def cell(arm: str, seed: int | None, size: int | None = None) -> Cell:
    mark = "metrics.json" if seed else "evaluation/metrics.json"
    return Cell(arm, seed, size, (Step(("train" if seed else "evaluate", "{run}"), mark),))


CELLS = [cell("few-shot", None), *(cell(arm, seed) for seed in (1, 2) for arm in ("plain", "typed")),
         *(cell("typed", seed, 2) for seed in (1, 2))]  # fmt: skip


def finish(study: StudyFolder, each: Cell, wrong: int, **account: object) -> None:
    """Write what a finished cell leaves."""
    folder = study.of(each)
    if each.seed is None:
        evaluated(folder / "evaluation", traces(wrong))
        return
    make_run(folder, traces(wrong), data=replace(ATLAS, train_subset=each.size))
    result = read_result(RunResult, folder / "metrics.json")
    known = {"optimizer_steps": 3, "trained_tokens": 90, "trained_weights": 5, "questions": "q", "solutions": "s",
             "order": f"o{each.seed}", "examples": each.size or 40}  # fmt: skip
    write_result(folder, replace(result, training=replace(result.training, **known | account)))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study of which all cells but the last are finished."""
    folder = StudyFolder(tmp_path_factory.mktemp("studies") / "study")
    for place, each in enumerate(CELLS[:-1]):
        finish(folder, each, place % 4)
    return folder.path


@pytest.fixture
def study(begun: Path, tmp_path: Path) -> tuple[Recipe, StudyFolder]:
    """A copy of it, with its recipe."""
    return recipe(tmp_path, ARMS, MORE), StudyFolder(Path(shutil.copytree(begun, tmp_path / "study")))


def test_every_arm_has_its_figures_and_all_pairs_are_compared(study: tuple[Recipe, StudyFolder]) -> None:
    mine, folder = study
    found = results(Finished(folder, mine, CELLS))
    arms = {arm["name"]: arm for arm in found["arms"]}
    assert list(arms) == ["few-shot", "plain", "typed"] and not arms["few-shot"]["trained"]
    assert arms["plain"]["seeds"] == [1, 2] and arms["plain"]["splits"]["test"]["accuracy"]["by_run"] == [5 / 6, 3 / 6]
    pairs = found["comparisons"]["test"]["accuracy"]["comparisons"]
    assert [(p["first"], p["second"]) for p in pairs] == [
        ("plain", "few-shot"), ("plain", "typed"), ("few-shot", "typed")
    ]  # fmt: skip
    assert len(found["against_baseline"]["test"]["accuracy"]["comparisons"]) == 2
    assert {arm["name"] for arm in found["comparisons"]["test"]["tokens"]["arms"]} == {"plain", "typed"}
    assert list(found["curves"]) == ["2", "40"]
    assert found["curves"]["2"]["test"]["accuracy"]["arms"][0]["runs"] == 1
    assert found["checks"]["missing"] == ["typed/size-2/seed-2"] and not found["checks"]["problems"]
    assert str(folder.path) not in json.dumps(found)  # the folder may lie anywhere


def test_an_arm_without_memories_on_a_split_does_not_take_the_measure_from_the_others(tmp_path: Path) -> None:
    mine, folder = recipe(tmp_path, ARMS, "baseline: plain\nmeasures: [memory_true]\n"), StudyFolder(tmp_path / "study")
    splits = ["test"] * 3 + ["other"] * 3
    answers = [replace(each, question=replace(each.question, split=split))
               for each, split in zip(traces(2), splits, strict=True)]  # fmt: skip
    no_memories = [each if each.question.split == "test" else replace(each, steps=each.steps[1:]) for each in answers]
    evaluated(folder.of(CELLS[0]) / "evaluation", no_memories)
    for each in CELLS[1:3]:
        make_run(folder.of(each), answers)
    found = results(Finished(folder, mine, CELLS[:3]))
    arms = {split: [arm["name"] for arm in by_measure["memory_true"]["arms"]] for split, by_measure in
            found["against_baseline"].items()}  # fmt: skip
    assert arms == {"test": ["few-shot", "plain", "typed"], "other": ["plain", "typed"]}
    assert "Differences: truth of memories" in files(found)["report.html"]  # accuracy is not compared


def test_the_files_are_the_same_each_time_and_open_with_any_names(study: tuple[Recipe, StudyFolder]) -> None:
    mine, folder = study
    write_results(mine, folder, CELLS)
    first = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    assert {"results.json", "table.md", "table.tex", "table.csv", "comparisons.csv", "report.html", "times.json",
            "forest-accuracy.svg", "curve-test.svg"} <= first.keys()  # fmt: skip
    write_results(mine, folder, CELLS)
    assert first == {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    page = first["report.html"].decode()
    assert "Types &amp; &lt;tokens&gt;" in page and "6 of 7 runs are finished" in page and "78.0" in page


def test_a_problem_stands_in_the_report(study: tuple[Recipe, StudyFolder]) -> None:
    mine, folder = study
    finish(folder, CELLS[-1], 0, optimizer_steps=4)
    found = results(Finished(folder, mine, CELLS))
    (problem,) = found["checks"]["problems"]
    assert problem == "typed/size-2/seed-2 made 4 optimizer steps, typed/size-2/seed-1 3" and not found["checks"]["ok"]
    assert all(problem in files(found)[name] for name in ("report.html", "table.md"))


def test_what_is_not_there_is_an_error(study: tuple[Recipe, StudyFolder], tmp_path: Path) -> None:
    mine, _ = study
    with pytest.raises(UserError, match="no cell is finished yet"):
        results(Finished(StudyFolder(tmp_path / "empty"), mine, CELLS))


def test_a_cell_that_cannot_be_read_is_named_and_left_out(study: tuple[Recipe, StudyFolder]) -> None:
    mine, folder = study
    (folder.of(CELLS[1]) / "evaluation" / "traces.jsonl").write_text("{}\n")
    found = results(Finished(folder, mine, CELLS))
    (problem,) = found["checks"]["problems"]
    assert problem.startswith("plain/seed-1 cannot be read: ") and not found["checks"]["ok"]
    assert [arm["seeds"] for arm in found["arms"]] == [[], [2], [1, 2]]


def test_a_cell_that_was_begun_with_another_command_is_named(study: tuple[Recipe, StudyFolder]) -> None:
    mine, folder = study
    folder.begin(CELLS[1])
    folder.begin(replace(CELLS[2], steps=(Step(("train", "{run}", "--lora_r", "8"), "metrics.json"),)))
    found = results(Finished(folder, mine, CELLS))["checks"]["problems"]
    assert found == ["typed/seed-1 was begun with another command than the recipe has now"]


def test_a_second_run_is_compared_byte_by_byte(study: tuple[Recipe, StudyFolder]) -> None:
    mine, folder = study
    again = StudyFolder(folder.path / "repeats")
    finish(again, CELLS[1], 1)
    finish(again, CELLS[2], 5)
    repeats = compared(folder, CELLS)
    assert {name: row["same"] for name, row in repeats.items()} == {"plain/seed-1": True, "typed/seed-1": False}
    found = results(Finished(folder, mine, CELLS), repeats)
    assert found["checks"]["problems"] == ["a second run of typed/seed-1 gave other traces"]


def test_the_plan_says_how_long_the_rest_takes_and_which_differences_it_finds(
    study: tuple[Recipe, StudyFolder],
) -> None:
    mine, folder = replace(study[0], cluster="country"), study[1]
    for each in CELLS[:-1]:
        folder.add_times(each, {"command": "train", "seconds": 60.0 if each.size is None else 20.0})
    plan = plan_of(mine, folder, CELLS, 2, load_data(ATLAS))
    assert (plan.cells, plan.finished, plan.seconds) == (7, 6, 20.0)
    assert {row.split for row in plan.power} == {"test_seen", "test_unseen"} and plan.power[0].runs == 2
    assert plan.power[0].clusters and 0 < (plan.power[0].smallest[0.1] or 0) < (plan.power[0].smallest[0.3] or 0)
    seen, unseen = power_tables(plan)
    assert "on test_seen: 12 questions" in seen.title and "on test_unseen: " in unseen.title and len(seen.rows) == 6
    (sentence, _) = power_in_words(plan)
    assert "points on test_seen" in sentence and "accuracy varies by 1 point from seed to seed" in sentence


def test_the_time_left_is_that_of_cells_of_the_same_kind() -> None:
    seconds = {("plain", None): 10.0, ("typed", None): 30.0}
    left = [cell("plain", 1), cell("plain", 2), cell("typed", 1)]
    assert time_left(left, [], seconds, 1) == 50 and time_left(left, [left[2]], seconds, 1) == 35
    assert time_left(left, [], seconds, 8) == 30  # no faster than the longest
    assert time_left([cell("other", 1)], [], seconds, 1) == 20 and time_left(left, [], {}, 1) is None
