"""The agent-labelled form, with the blemishes that published files have."""

import json
from pathlib import Path

import pytest

from memreason.errors import UserError
from memreason.records import Step
from memreason.tasks.agent_json import export_agent_json
from memreason.tasks.registry import load_task

DATA = Path(__file__).parents[2] / "../shared/data/agent"
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here (../shared/data)")
CLEAN = ("[rag]: A fact.", "[reason]: So it is.")


def row(text, *steps, split="train", answer="True"):
    return {"question": text, "answer": answer, "cot_steps": list(steps), "split": split}


def filler(split="train"):
    """Enough clean rows for the splits to be carved."""
    return [row(f"Is {n} a {split} number?", *CLEAN, split=split) for n in range(4)]


def load(tmp_path, *rows, name="strategyqa"):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([*rows, *filler(), *filler("test")]))
    return load_task(name, str(path))


def find(task, text):
    """(split, solution) of a question, or None."""
    found = [(name, s) for name, split in task.splits.items() for s in split if s.question.text == text]
    return found[0] if found else None


def test_rag_and_memory_are_both_memory(tmp_path):
    task = load(tmp_path, row("Is it?", "[rag]: One.", "[memory]: Two.", " [Reason]:  Three\nlines. ", split="test"))
    _, solution = find(task, "Is it?")
    assert solution.steps == (Step("memory", "One."), Step("memory", "Two."), Step("reason", "Three lines."))


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("[reason] and [rag]: Both.", 'a step labelled "[reason] and [rag]"'),
        ("[guess]: Perhaps.", 'a step labelled "[guess]"'),
        ("No label: at all.", "a step labelled with nothing"),
        (7, "a step labelled with nothing"),
    ],
)
def test_a_step_of_unclear_type_keeps_its_record_out_of_train(tmp_path, step, reason):
    task = load(tmp_path, row("Trained?", *CLEAN, step), row("Tested?", *CLEAN, step, split="test"))
    assert find(task, "Trained?") is None
    assert find(task, "Tested?")[1].steps == ()
    assert f"train records with {reason}, left out: 1 (rows.json[0])" in task.notes
    assert f"test records with {reason}, used without its steps: 1 (rows.json[1])" in task.notes


def test_steps_without_text_are_dropped_and_counted(tmp_path):
    task = load(
        tmp_path, row("Some?", "[rag]: ", *CLEAN, "[reason]:", split="test"), row("None?", "[rag]: ", "[reason]: ")
    )
    assert [step.text for step in find(task, "Some?")[1].steps] == ["A fact.", "So it is."]
    assert find(task, "None?") is None
    assert "test records with a step without text (such steps are dropped): 1 (rows.json[0])" in task.notes
    assert "train records with no step text, left out: 1 (rows.json[1])" in task.notes


def test_a_test_question_without_steps_is_tested_on(tmp_path):
    assert find(load(tmp_path, row("Is it?", split="test")), "Is it?")[1].steps == ()


def test_solutions_of_one_type_only_are_kept_and_counted(tmp_path):
    task = load(tmp_path, row("Is it?", "[rag]: A fact.", split="test"))
    assert "test: 1 of 5 solutions have no reason step; kept" in task.notes


def test_a_question_that_is_tested_on_is_not_trained_on(tmp_path):
    task = load(tmp_path, row("Is it both?", *CLEAN), row("is it  both?", *CLEAN, split="test"))
    assert find(task, "Is it both?") is None and find(task, "is it both?")[0] == "test"
    assert any("held out in another split: 1 (strategyqa-train-0)" in note for note in task.notes)


def test_a_gold_answer_that_is_none_leaves_the_record_out(tmp_path):
    task = load(tmp_path, row("Is it?", *CLEAN, answer="perhaps"))
    assert find(task, "Is it?") is None
    assert "train records left out, gold answer not valid: 1 (rows.json[0])" in task.notes


@pytest.mark.parametrize("field", ["question", "answer"])
def test_a_missing_field_is_an_error_with_its_place(tmp_path, field):
    broken = {key: value for key, value in row("Is it?", *CLEAN).items() if key != field}
    with pytest.raises(UserError, match=rf'rows\.json\[1\]: field "{field}" is missing'):
        load(tmp_path, row("First?", *CLEAN), broken)


def test_a_row_in_neither_form_is_an_error_that_shows_both(tmp_path):
    other = {"question": "Is it?", "answer": "True"}
    with pytest.raises(UserError, match=r"rows\.json\[1\]: .*fields question, answer.*as released, or .*cot_steps"):
        load(tmp_path, row("First?", *CLEAN), other)


def test_a_file_may_hold_one_object_a_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\ufeff" + "".join(json.dumps(r) + "\n" for r in filler("test")), encoding="utf-8")
    assert len(load_task("strategyqa", str(path)).splits["test"]) == 4


def test_broken_files_are_named(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text('[{"question": ')
    with pytest.raises(UserError, match=r"rows\.json: not valid JSON"):
        load_task("strategyqa", str(path))
    path.write_text("[[1]]")
    with pytest.raises(UserError, match=r"rows\.json\[0\]: expected a JSON object, got list"):
        load_task("strategyqa", str(path))
    path.write_text("[]")
    with pytest.raises(UserError, match="no usable records"):
        load_task("strategyqa", str(path))


def write_files(folder, **files):
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))


def test_a_folder_may_hold_several_datasets(tmp_path):
    write_files(tmp_path, Strategy_QA_train=filler(), StrategyQA_test=filler("test"), truthful_qa_train=[row("Other?")])
    task = load_task("strategyqa", str(tmp_path))
    assert set(task.splits) == {"train", "validation", "test"} and find(task, "Other?") is None


def test_where_rows_have_no_split_the_files_name_says_it(tmp_path):
    bare = {s: [{k: v for k, v in r.items() if k != "split"} for r in filler(s)] for s in ("train", "dev", "test")}
    write_files(tmp_path, **bare)
    task = load_task("strategyqa", str(tmp_path))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 4, "validation": 4, "test": 4}


def test_a_folder_without_the_dataset_is_described(tmp_path):
    write_files(tmp_path, truthful_qa_train=[row("Other?")])
    with pytest.raises(UserError, match=r"looked for .*strategyqa in their name.*found truthful_qa_train\.json"):
        load_task("strategyqa", str(tmp_path))
    with pytest.raises(UserError, match="no such file or folder"):
        load_task("strategyqa", str(tmp_path / "nothing"))


def test_what_is_exported_loads_as_it_was(tmp_path):
    asked = row("Where is it? Options: A.a town B.a city ", *CLEAN, answer="B", split="test")
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([asked]))
    solutions = load_task("commonsenseqa", str(path)).splits["test"]
    export_agent_json(solutions, tmp_path / "copy.json")
    assert json.loads((tmp_path / "copy.json").read_text())[0]["cot_steps"] == list(CLEAN)
    assert load_task("commonsenseqa", str(tmp_path / "copy.json")).splits["test"] == solutions


@real_data
def test_real_strategyqa():
    task = load_task("strategyqa", str(DATA))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 1487, "validation": 100, "test": 687}
    assert all(s.steps for s in (*task.splits["train"], *task.splits["validation"]))
    tested = {s.question.text.casefold() for s in task.splits["test"]}
    assert not tested & {s.question.text.casefold() for s in task.splits["train"]}
    notes = "\n".join(task.notes)
    assert "train records with no step text, left out: 15" in notes
    assert 'test records with a step labelled "[reason] and [rag]", used without its steps: 2' in notes


@real_data
def test_real_truthfulqa():
    task = load_task("truthfulqa", str(DATA))
    questions = [s.question for split in task.splits.values() for s in split]
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 456, "validation": 50, "test": 126}
    assert sum(not question.options for question in questions) == 1  # "A. Yes, A. A. Milne wrote …"
    assert all(question.answer in "ABCDEFGHIJKLM"[: len(question.options) or None] for question in questions)
