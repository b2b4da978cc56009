"""AQuA-RAT as released: options without their letters, rationale lines as steps."""

import json
from pathlib import Path

import pytest

from memreason.tasks.aqua import read_released
from memreason.tasks.registry import load_task

DATA = Path(__file__).parents[2] / "../shared/data/raw/aqua"


def row(rationale, correct="A", **changes):
    options = ["A)32400", "B)(6000)", "C) 600 m", "D)D", "E)x) y"]
    return {
        "question": "How fast?",
        "options": options,
        "rationale": rationale,
        "correct": correct,
    } | changes


def test_the_letter_comes_off_each_option_and_nothing_else_does():
    record = read_released("place", "test", row("So."))
    assert record.options == ("32400", "(6000)", "600 m", "D", "x) y")
    assert read_released("place", "test", row("So.", options=["one", "B two", "A)1"])).options == (
        "one",
        "B two",
        "A)1",
    )


def test_rationale_lines_are_steps():
    record = read_released("place", "test", row("1 kilometer = 0.6 miles\n\n900 kilometers = 540 miles\n"))
    assert [(step.type, step.text) for step in record.steps] == [
        ("step", "1 kilometer = 0.6 miles"),
        ("step", "900 kilometers = 540 miles"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Answer: A", "ANSWER:A", "Correct answer - A", "The answer is A.", "Therefore, the correct option is (A)", "A",
        "Hence, answer is option A", "Option A is correct", "A is the correct choice", "correct option: A)",
    ],
)  # fmt: skip
def test_a_last_line_that_only_says_the_letter_is_no_step(line):
    record = read_released("place", "test", row(f"60 * 540 = 32400\n{line}"))
    assert [step.text for step in record.steps] == ["60 * 540 = 32400"]


@pytest.mark.parametrize(
    "line",
    ["Answer: A) 32400", "Answer A)32400", "Answer: (A) 32400 miles", "The answer is A. 32400",
     "Option A) 32400 is correct.",
     "Final answer:\nA", "FINAL ANSWER\n(A)", "Answer: A\nA"],
)  # fmt: skip
def test_nor_is_one_that_repeats_its_option_or_announces_it_on_a_line_of_its_own(line):
    record = read_released("place", "test", row(f"60 * 540 = 32400\n{line}"))
    assert [step.text for step in record.steps] == ["60 * 540 = 32400"]


@pytest.mark.parametrize("line", ["so " * 60 + "x", "A" + "!" * 100_000 + "x", "answer " * 100_000])
def test_a_long_last_line_is_a_step_like_any_other(line):
    assert len(read_released("place", "test", row(f"60 * 540 = 32400\n{line}")).steps) == 2


@pytest.mark.parametrize("line", ["Answer: A) 32401", "So x is A", "= 32400. Answer: A", "Total is 50."])
def test_a_last_line_that_says_more_stays(line):
    assert read_released("place", "test", row(f"60 * 540 = 32400\n{line}")).steps[-1].text == line


def test_a_rationale_of_one_line_keeps_it():
    assert [step.text for step in read_released("place", "test", row("Answer: A")).steps] == ["Answer: A"]


def test_a_rationale_that_ends_in_another_letter_is_noted(tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_text(json.dumps(row("60 * 540\nAnswer: B")))
    task = load_task("aqua", str(path))
    assert task.splits["test"][0].question.answer == "A"
    assert "test records with a rationale that ends in another letter: 1 (test.jsonl:1)" in task.notes


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here (../shared/data)")
def test_real_aqua():
    task = load_task("aqua", str(DATA))
    assert {split: len(s) for split, s in task.splits.items()} == {"validation": 254, "test": 254}
    assert all(len(s.question.options) == 5 and s.steps for s in task.splits["test"])
    assert not any("another letter" in note for note in task.notes)
