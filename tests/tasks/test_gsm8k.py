"""GSM8K as released: lines are steps, calculator marks stay, the answer is a number."""

import json
from pathlib import Path

import pytest

from memreason.errors import UserError
from memreason.records import Step
from memreason.tasks.registry import load_task

DATA = Path(__file__).parents[2] / "../shared/data/raw/gsm8k"
CLIPS = {
    "question": "Natalia sold clips to 48 friends in April,\nand half as many in May. How many?",
    "answer": "She sold 48/2 = <<48/2=24>>24 clips in May.\n\nIn all 48+24 = <<48+24=72>>72.\n#### 1,072",
}


def rows(count, **changes):
    return [CLIPS | {"question": f"How many are {n}?"} | changes for n in range(count)]


def load(folder, **files):
    for split, found in files.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return load_task("gsm8k", str(folder))


def test_each_line_is_a_step_and_what_follows_the_hashes_is_the_answer(tmp_path):
    task = load(tmp_path, test=[CLIPS])
    (solution,) = task.splits["test"]
    assert solution.steps == (
        Step("step", "She sold 48/2 = <<48/2=24>>24 clips in May."),
        Step("step", "In all 48+24 = <<48+24=72>>72."),
    )
    assert (solution.question.answer, task.answer_kind) == ("1072", "number")
    assert "\n" not in solution.question.text


def test_steps_without_labels_are_said_once_and_not_for_every_record(tmp_path):
    notes = load(tmp_path, train=rows(20), test=[CLIPS]).notes
    assert sum("memory" in note for note in notes) == 1
    assert any("--extract_step_type_tokens none" in note for note in notes)


def test_a_solution_whose_answer_is_no_number_is_left_out_and_counted(tmp_path):
    task = load(tmp_path, test=[CLIPS, CLIPS | {"question": "What?", "answer": "It is.\n#### many"}])
    assert len(task.splits["test"]) == 1
    assert "test records left out, gold answer not valid: 1 (test.jsonl:2)" in task.notes


def test_rows_of_another_dataset_are_an_error_that_shows_the_form(tmp_path):
    with pytest.raises(UserError, match=r"test\.jsonl:1: a row with the fields problem, solution is no .*gsm8k.*####"):
        load(tmp_path, test=[{"problem": "x", "solution": "y"}])


def test_steps_that_agents_labelled_are_read_too(tmp_path):
    labelled = {"question": "How many?", "answer": 3, "cot_steps": ["[rag]: A week has 7 days.", "[reason]: 7-4 is 3."]}
    (solution,) = load(tmp_path, test=[labelled]).splits["test"]
    assert [step.type for step in solution.steps] == ["memory", "reason"]
    assert solution.question.answer == "3"


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here (../shared/data)")
def test_real_gsm8k():
    task = load_task("gsm8k", str(DATA))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 7373, "validation": 100, "test": 1319}
    assert all(s.steps for solutions in task.splits.values() for s in solutions)
    assert not any("left out" in note for note in task.notes)
    assert task.splits["train"][0].steps[0] == Step("step", "Natalia sold 48/2 = <<48/2=24>>24 clips in May.")
