"""SVAMP as released: body and question together, the equation as the only step."""

import json
from pathlib import Path

import pytest

from memreason.errors import UserError
from memreason.records import Step
from memreason.tasks.registry import load_task

DATA = Path(__file__).parents[2] / "../shared/data/raw/svamp"


def row(n, **changes):
    return {
        "ID": f"chal-{n}",
        "Body": f"A pack costs {n}.5 dollars.",
        "Question": "How much are two?",
        "Equation": f"( {n}.5 * 2.0 )",
        "Answer": n * 2 + 1.0,
        "Type": "Multiplication",
    } | changes


def write(folder, rows):
    path = folder / "SVAMP.json"
    path.write_text(json.dumps(rows, indent=4))
    return str(folder)


def test_the_equation_is_the_step_and_the_answer_a_number(tmp_path):
    task = load_task("svamp", write(tmp_path, [row(n) for n in range(20)]))
    solutions = {s.question.id: s for split in task.splits.values() for s in split}
    assert len(solutions) == 20 and task.answer_kind == "number"
    solution = solutions["chal-7"]
    assert solution.question.text == "A pack costs 7.5 dollars. How much are two?"
    assert (solution.question.answer, solution.steps) == ("15", (Step("step", "( 7.5 * 2.0 )"),))


def test_one_file_without_splits_is_split(tmp_path):
    task = load_task("svamp", write(tmp_path, [row(n) for n in range(20)]))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 15, "validation": 1, "test": 4}


def test_a_row_without_its_equation_is_an_error(tmp_path):
    broken = row(1)
    del broken["Equation"]
    with pytest.raises(UserError, match=r"SVAMP\.json\[1\]: a row with the fields ID, .* is no question of svamp"):
        load_task("svamp", write(tmp_path, [row(0), broken]))


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here (../shared/data)")
def test_real_svamp():
    task = load_task("svamp", str(DATA))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 720, "validation": 80, "test": 200}
