"""MATH: folders of files as released, or rows; sentences are steps; the last box is the answer."""

import json

import pytest

from memreason.errors import UserError
from memreason.records import Step
from memreason.tasks.registry import load_task

CIRCLE = {
    "problem": "A circle has radius $\\frac{3}{2}$.\nWhat is its area?",
    "level": "Level 2",
    "type": "Geometry",
    "solution": "The area is\n\\[\\pi r^2 = \\pi \\cdot \\frac{9}{4}.\\]\nNot $\\boxed{3}.$ So it is "
    "$\\boxed{\\frac{9\\pi}{4}}.$",
}


def problem(n):
    return CIRCLE | {"problem": f"What is ${n}+{n}$?", "solution": f"It is $\\boxed{{{2 * n}}}$."}


@pytest.fixture
def released(tmp_path):
    """train/ and test/, a folder a subject, a file a problem."""
    for place, row in (
        [("test/geometry/7", CIRCLE), ("test/algebra/7", problem(7))]
        + [(f"train/algebra/{n}", problem(n)) for n in range(10, 22)]
    ):  # fmt: skip
        path = tmp_path / "MATH" / f"{place}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row, indent=4 if "geometry" in place else None))
    return tmp_path / "MATH"


def test_the_released_folders(released):
    task = load_task("math", str(released))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 11, "validation": 1, "test": 2}
    assert [s.question.id for s in task.splits["test"]] == ["test/algebra/7", "test/geometry/7"]
    assert task.answer_kind == "math"


def test_boxes_joined_by_a_word_are_one_answer(tmp_path):
    row = CIRCLE | {"solution": "So $x=\\boxed{2}$ or $x=\\boxed{-2}.$"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    (solution,) = load_task("math", str(tmp_path / "test.jsonl")).splits["test"]
    assert solution.question.answer == "2, -2"


def test_the_last_box_is_the_answer_and_sentences_are_steps_with_formulas_whole(released):
    solution = load_task("math", str(released)).splits["test"][1]
    assert solution.question.answer == "\\frac{9\\pi}{4}"
    assert solution.question.text == "A circle has radius $\\frac{3}{2}$. What is its area?"
    assert solution.steps == (
        Step("step", "The area is \\[\\pi r^2 = \\pi \\cdot \\frac{9}{4}.\\]"),
        Step("step", "Not $\\boxed{3}.$"),
        Step("step", "So it is $\\boxed{\\frac{9\\pi}{4}}.$"),
    )


def test_rows_may_stand_in_lines_and_name_their_answer_and_id(tmp_path):
    row = CIRCLE | {"unique_id": "test/geometry/7.json", "answer": "2.25\\pi"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    (solution,) = load_task("math", str(tmp_path)).splits["test"]
    assert (solution.question.id, solution.question.answer) == ("test/geometry/7", "2.25\\pi")


def test_a_solution_without_a_box_is_left_out_and_counted(released):
    (released / "test/algebra/8.json").write_text(json.dumps(problem(8) | {"solution": "It is 16."}, indent=4))
    task = load_task("math", str(released))
    assert len(task.splits["test"]) == 2
    assert "test records left out, gold answer not valid: 1 (8.json)" in task.notes


def test_a_file_of_another_form_is_an_error_with_its_name(released):
    (released / "test/algebra/9.json").write_text(json.dumps({"question": "What?"}, indent=4))
    with pytest.raises(UserError, match=r"test/algebra/9\.json: a row with the fields question is no .*math.*boxed"):
        load_task("math", str(released))
    (released / "test/algebra/9.json").write_text('{"problem": ')
    with pytest.raises(UserError, match=r"9\.json: not valid JSON"):
        load_task("math", str(released))


def test_without_what_compares_the_answers_it_is_not_loaded(released, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install math-verify"):
        load_task("math", str(released))
