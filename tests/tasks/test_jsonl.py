"""Your own questions: nothing is repaired, every error names its line and field."""

import json
import tracemalloc

import pytest

from memreason.errors import UserError
from memreason.records import Question, Solution, Step
from memreason.tasks.jsonl import export_jsonl
from memreason.tasks.registry import load_task

ROW = {
    "id": "q1",
    "question": "Is Lyon the capital\nof France?",
    "answer": "no",
    "steps": [{"type": "memory", "text": "The capital of France is Paris."}, "[reason]: Lyon is not Paris."],
    "split": "test",
}


def load(tmp_path, *rows):
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_task("jsonl", str(path))


def only(task):
    return task.splits["test"][0]


def test_a_row_becomes_a_solution(tmp_path):
    task = load(tmp_path, ROW)
    assert only(task) == Solution(
        Question("q1", "Is Lyon the capital of France?", "False", (), "jsonl", "test"),
        (Step("memory", "The capital of France is Paris."), Step("reason", "Lyon is not Paris.")),
    )


def test_id_split_and_steps_may_be_left_out(tmp_path):
    bare = [{"question": f"Is {n} even?", "answer": True} for n in range(5)]
    task = load(tmp_path, *bare)
    assert sorted(s.question.id for split in task.splits.values() for s in split) == [
        f"jsonl-train-{n}" for n in range(5)
    ]
    assert any("have no steps: not for training" in note for note in task.notes)


def test_agent_labelled_rows_and_arrays_read_too(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([{"question": "Is it?", "answer": "True", "cot_steps": ["[rag]: A."], "split": "test"}]))
    assert only(load_task("jsonl", str(path))).steps == (Step("memory", "A."),)


@pytest.mark.parametrize(
    ("rows", "kind", "answers"),
    [
        ([{"answer": True}, {"answer": "No"}], "boolean", ["True", "False"]),
        ([{"answer": "(b)", "options": ["x", "y"]}, {"answer": "A", "options": ["x", "y"]}], "choice", ["B", "A"]),
        ([{"answer": "B", "options": ["x", "y"]}, {"answer": "yes"}], "mixed", ["B", "True"]),
        ([{"answer": 42}, {"answer": "yes"}], "text", ["42", "yes"]),
    ],
)
def test_the_answer_kind_follows_from_the_data(tmp_path, rows, kind, answers):
    task = load(tmp_path, *({"question": f"Q{i}?", "split": "test"} | row for i, row in enumerate(rows)))
    assert task.answer_kind == kind
    assert [s.question.answer for s in task.splits["test"]] == answers


def test_a_folder_has_a_file_a_split(tmp_path):
    for split, count in (("train", 4), ("dev", 1), ("test", 2)):
        rows = [{"question": f"{split} {n}?", "answer": "yes", "steps": ["[memory]: A."]} for n in range(count)]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = load_task("jsonl", str(tmp_path))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 4, "validation": 1, "test": 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": None}, r'mine\.jsonl:2: field "question" must be a text, got NoneType'),
        ({"question": "  "}, r'mine\.jsonl:2: field "question" is empty'),
        ({"answer": ""}, r'mine\.jsonl:2: field "answer" must be a non-empty text'),
        ({"answer": "C", "options": ["x", "y"]}, r"mine\.jsonl:2: .*a letter from A to B, got 'C'"),
        ({"answer": "maybe", "options": ["x", "y"]}, r"mine\.jsonl:2: "),
        ({"options": ["x"]}, r'mine\.jsonl:2: field "options" must be a list of 2 to 26'),
        ({"options": ["x", " "]}, r'mine\.jsonl:2: field "options\[1\]" is empty'),
        ({"steps": "one"}, r'mine\.jsonl:2: field "steps" must be a list, got str'),
        ({"steps": ["A fact."]}, r'mine\.jsonl:2: steps\[0\] has no label; write "\[memory\]'),
        (
            {"steps": ["[guess]: A fact."]},
            r'mine\.jsonl:2: steps\[0\] has the unknown type "guess"; use memory or reason',
        ),
        ({"steps": ["[reason] and [rag]: A fact."]}, r"mine\.jsonl:2: steps\[0\] has the unknown type"),
        ({"steps": ["[memory]: A.", "[memory]: "]}, r'mine\.jsonl:2: field "steps\[1\]\.text" is empty'),
        ({"steps": [{"type": "memory"}]}, r"mine\.jsonl:2: steps\[0\] must be"),
        ({"answer": float("nan")}, r'mine\.jsonl:2: field "answer" is NaN'),
        ({"answer": float("-inf")}, r'mine\.jsonl:2: field "answer" is -Infinity'),
        ({"answer": ["yes"]}, r'mine\.jsonl:2: field "answer" must be a non-empty text'),
        ({"id": ["q"]}, r'mine\.jsonl:2: field "id" must be a text or a number'),
        ({"split": ["train"]}, r'mine\.jsonl:2: field "split" must be train, validation or test, got \[\'train\'\]'),
        ({"split": "exam"}, r'mine\.jsonl:2: field "split" must be train, validation or test, got \'exam\''),
    ],
)
def test_a_bad_line_is_an_error_with_its_place(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        load(tmp_path, ROW, ROW | {"id": "q2", "question": "Is it?"} | change)


@pytest.mark.parametrize("field", ["question", "answer"])
def test_a_missing_field_is_named(tmp_path, field):
    row = {key: value for key, value in ROW.items() if key != field}
    with pytest.raises(UserError, match=rf'mine\.jsonl:1: field "{field}" is missing'):
        load(tmp_path, row)


def test_a_mixed_dataset_has_no_free_answers(tmp_path):
    rows = [ROW | {"answer": "A", "options": ["x", "y"]}, ROW | {"id": "q2", "question": "Who?", "answer": "Ann"}]
    with pytest.raises(UserError, match=r"mine\.jsonl:2: .*True or False, got 'Ann'"):
        load(tmp_path, *rows)


def test_there_must_be_a_file_with_something_in_it(tmp_path):
    with pytest.raises(UserError, match="needs --data_path"):
        load_task("jsonl")
    with pytest.raises(UserError, match="no such file or folder"):
        load_task("jsonl", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="the dataset is empty"):
        load(tmp_path)
    with pytest.raises(UserError, match=r"looked for train\.jsonl.*found mine\.jsonl"):
        load_task("jsonl", str(tmp_path))


def test_what_is_exported_loads_as_it_was(tmp_path):
    rows = [ROW, ROW | {"id": "q2", "question": "Which?", "answer": "B", "options": ["x, y", "z"]}]
    solutions = load(tmp_path, *rows).splits["test"]
    export_jsonl(solutions, tmp_path / "out" / "copy.jsonl")
    assert load_task("jsonl", str(tmp_path / "out" / "copy.jsonl")).splits["test"] == solutions


def test_memory_does_not_grow_with_what_rows_hold(tmp_path):
    path = tmp_path / "long.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for i in range(800):
            steps = [{"type": "memory", "text": f"Fact {i}. " * 300}]
            file.write(json.dumps({"question": f"Is it {i}?", "answer": "True", "steps": steps}) + "\n")
    tracemalloc.start()
    try:
        task = load_task("jsonl", str(path))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(map(len, task.splits.values())) == 800
    assert most < path.stat().st_size / 3


@pytest.mark.parametrize(
    "change",
    [{"question": "Is it \ud83d?"}, {"id": "\ude00"}, {"steps": ["[memory]: \ud83d"]}, {"answer": "x\udfff"},
     {"options": ["x", "\ud83d"], "answer": "A"}],
)  # fmt: skip
def test_half_a_character_is_no_text(tmp_path, change):
    with pytest.raises(UserError, match=r"mine\.jsonl:2: half of a surrogate pair"):
        load(tmp_path, {"question": "Who?", "answer": "B", "options": ["x", "y"]} if "options" in change else
             {"question": "Who?", "answer": "Ann"}, {"question": "Is it?", "answer": "Bob"} | change)  # fmt: skip


def test_zero_is_an_id_and_a_whole_number_has_no_point(tmp_path):
    task = load(tmp_path, ROW | {"id": 0, "answer": 2.0}, ROW | {"id": 1, "question": "Who?", "answer": "Ann"})
    assert [(s.question.id, s.question.answer) for s in task.splits["test"]] == [("0", "2"), ("1", "Ann")]


def test_options_that_carry_their_letters_lose_them_and_it_is_noted(tmp_path):
    task = load(tmp_path, ROW | {"options": ["A. Paris", "B. Rome"], "answer": "B. Rome"})
    assert (only(task).question.options, only(task).question.answer) == (("Paris", "Rome"), "B")
    assert any("options carried their letters, which were taken off: 1 (mine.jsonl:1)" in note for note in task.notes)


def test_what_a_table_leaves_empty_is_not_given(tmp_path):
    empty = dict.fromkeys(("id", "options", "split", "steps"))
    task = load(tmp_path, *({"question": f"Is it {n}?", "answer": "yes"} | empty for n in range(3)))
    assert sum(map(len, task.splits.values())) == 3
