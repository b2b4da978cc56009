"""CommonsenseQA in its released form, and the options in the agent-labelled one."""

import json
from pathlib import Path

import pytest

from memreason.errors import UserError
from memreason.records import Question, Solution
from memreason.tasks.commonsenseqa import split_options
from memreason.tasks.registry import load_task

DATA = Path(__file__).parents[2] / "../shared/data/raw/commonsense_qa"


def released(n, answer="B"):
    choices = [{"label": "B", "text": "a city "}, {"label": "A", "text": "a town"}]
    return {"id": f"id{n}", "question": {"stem": f"Where is {n}?", "choices": choices}, "answerKey": answer}


def write(folder, **files):
    for split, rows in files.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_what_was_released_as_validation_is_the_test_split(tmp_path):
    write(tmp_path, train=map(released, range(10)), validation=[released(20), released(21)])
    task = load_task("commonsenseqa", str(tmp_path))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 9, "validation": 1, "test": 2}
    question = Question("id20", "Where is 20?", "B", ("a town", "a city"), "commonsenseqa", "test")
    assert task.splits["test"][0] == Solution(question)
    assert task.answer_kind == "choice"


def test_unanswered_questions_are_left_out_and_counted(tmp_path):
    write(tmp_path, validation=[released(1)], test=[released(2, ""), released(3, "")])
    task = load_task("commonsenseqa", str(tmp_path))
    assert list(task.splits) == ["test"] and len(task.splits["test"]) == 1
    assert "unanswered records left out, gold answer not valid: 2 (test.jsonl:1, test.jsonl:2)" in task.notes


def test_a_damaged_row_is_an_error_with_its_place(tmp_path):
    damaged = released(1)
    del damaged["question"]["stem"]
    write(tmp_path, validation=[released(0), damaged])
    with pytest.raises(UserError, match=r"validation\.jsonl:2: nearly the released form.*stem"):
        load_task("commonsenseqa", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "stem", "options"),
    [
        ("Where? Options: A.a town B.a city ", "Where?", ("a town", "a city")),
        ("Where? Options: A. a town B. a city", "Where?", ("a town", "a city")),
        ("Where?\nOptions: A.TV B.U.S. army C.x", "Where?", ("TV", "U.S. army", "x")),
    ],
)
def test_options_are_taken_off_the_question(text, stem, options):
    assert split_options(text) == (stem, options)


@pytest.mark.parametrize(
    "text",
    [
        "Where?",
        "Where? A.a town B.a city",
        "Where? Options: A.a town C.a city",  # a gap
        "Where? Options: A.a town A.a city",
        "Where? Options: A. B.a city",  # no text
        "Where? Options: all A.a town B.a city",
        "Options: A.a town B.a city",  # no question
    ],
)
def test_what_does_not_read_cleanly_stays_as_it_is(text):
    assert split_options(text) == (text, ())


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here (../shared/data)")
def test_real_commonsenseqa():
    task = load_task("commonsenseqa", str(DATA))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 9641, "validation": 100, "test": 1221}
    assert all(len(s.question.options) == 5 for s in task.splits["test"])
