"""Tasks meet under their names, and every source ends in the same shape."""

import json
import random

import pytest

from memreason.errors import UserError
from memreason.tasks.registry import ALIASES, TASKS, answer_kind_of, load_task


def rows(count, split="train", start=0):
    return [
        {"question": f"Is {n} even?", "answer": str(n % 2 == 0), "steps": ["[memory]: A fact.", "[reason]: So."],
         "split": split}
        for n in range(start, start + count)
    ]  # fmt: skip


def write(tmp_path, rows):
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def ids(task):
    return {split: [s.question.id for s in solutions] for split, solutions in task.splits.items()}


def test_every_task_says_what_it_is():
    assert set(TASKS) == {
        "atlas", "strategyqa", "commonsenseqa", "truthfulqa", "gsm8k", "math", "aqua", "svamp", "jsonl",
    }  # fmt: skip
    assert all(task.description and task.source for task in TASKS.values())
    assert [name for name in TASKS if answer_kind_of(name) is None] == ["jsonl"]
    assert set(ALIASES.values()) <= set(TASKS)


def test_an_unknown_name_is_answered_with_the_names():
    with pytest.raises(UserError, match=r"--dataset strategy: .*atlas, strategyqa"):
        load_task("strategy")


def test_the_original_spellings_work(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(
        json.dumps([{"question": "Is it?", "answer": "True", "cot_steps": ["[rag]: Yes."], "split": "test"}])
    )
    assert load_task("stratgeqa_agent", str(path)).name == "strategyqa"


def test_atlas_takes_sizes_and_no_file():
    with pytest.raises(UserError, match="made on the spot"):
        load_task("atlas", "file.json")
    task = load_task("atlas", seed=3, num_validation=6, sizes={"num_train": 40, "num_test": 10, "num_countries": 30})
    assert len(task.splits["train"]) == 40 and len(task.splits["validation"]) == 6


def test_the_validation_questions_of_atlas_may_stand_among_its_sizes():
    task = load_task("atlas", sizes={"num_train": 40, "num_validation": 8, "num_test": 10, "num_countries": 30})
    assert len(task.splits["validation"]) == 8


def test_splits_that_are_there_stay_as_they_are(tmp_path):
    data = rows(10) + rows(3, "validation", 10) + rows(4, "test", 20)
    task = load_task("jsonl", write(tmp_path, data))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 10, "validation": 3, "test": 4}
    assert task.notes == ()


def test_validation_is_taken_out_of_train_at_most_a_tenth(tmp_path):
    path = write(tmp_path, rows(40) + rows(2, "test", 100))
    task = load_task("jsonl", path)
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 36, "validation": 4, "test": 2}
    assert len(load_task("jsonl", path, num_validation=2).splits["validation"]) == 2
    assert all(s.question.split == "validation" for s in task.splits["validation"])
    assert not set(ids(task)["train"]) & set(ids(task)["validation"])
    assert "no validation split in the source: 4 questions were taken out of train" in task.notes[0]


def test_a_small_train_still_gives_one(tmp_path):
    task = load_task("jsonl", write(tmp_path, rows(5) + rows(1, "test", 10)))
    assert len(task.splits["validation"]) == 1


def test_the_draw_is_the_seeds(tmp_path):
    path = write(tmp_path, rows(60))
    state = random.getstate()
    assert ids(load_task("jsonl", path)) == ids(load_task("jsonl", path))
    assert ids(load_task("jsonl", path)) != ids(load_task("jsonl", path, seed=1))
    assert random.getstate() == state  # the global generator is not touched


def test_only_train_gives_a_fifth_to_test(tmp_path):
    task = load_task("jsonl", write(tmp_path, rows(50)))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 36, "validation": 4, "test": 10}
    assert task.notes[0].startswith("no test split in the source: 10 questions")


def test_too_few_to_split_is_said(tmp_path):
    with pytest.raises(UserError, match="2 questions are too few to split"):
        load_task("jsonl", write(tmp_path, rows(2)))


def test_only_test_is_for_evaluation(tmp_path):
    task = load_task("jsonl", write(tmp_path, rows(2, "test")))
    assert task.test_splits == list(task.splits) == ["test"]
    assert "no train split" in task.notes[0]


def test_questions_are_asked_in_one_split_only_and_once(tmp_path):
    data = [*rows(12), rows(1)[0], *rows(1, "validation", 2), *rows(2, "test", 3)]
    data[-1]["question"] = "is 4  EVEN?"  # white space and case make no other question
    task = load_task("jsonl", write(tmp_path, data))
    assert len(task.splits["train"]) == 12 - 3
    notes = "\n".join(task.notes)
    assert "train records left out, question already stands there: 1 (mine.jsonl:13)" in notes
    assert "train records left out, question is held out in another split: 3" in notes


def test_an_id_must_be_unique(tmp_path):
    data = [row | {"id": "same"} for row in rows(4)]
    with pytest.raises(UserError, match=r"mine\.jsonl:2: id same already stands at .*mine\.jsonl:1"):
        load_task("jsonl", write(tmp_path, data))
