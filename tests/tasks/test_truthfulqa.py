"""TruthfulQA: the options in the question's text, and the hub's single-choice form."""

import pytest

from memreason.tasks.truthfulqa import read_released, split_options


@pytest.mark.parametrize(
    ("text", "stem", "options"),
    [
        ("What is it? A. This is. B. That is.", "What is it?", ("This is.", "That is.")),
        ("Who is? A. George W. Bush is. B. J. K. Rowling.", "Who is?", ("George W. Bush is.", "J. K. Rowling.")),
        ("Which war? A. World War I. B. World War II.", "Which war?", ("World War I.", "World War II.")),
        ('Which? A. "Yes." B. No.', "Which?", ('"Yes."', "No.")),
        ("Which? Options: A. Yes. B. No.", "Which?", ("Yes.", "No.")),  # as our exporter writes it
    ],
)
def test_options_are_taken_off_the_question(text, stem, options):
    assert split_options(text) == (stem, options)


@pytest.mark.parametrize(
    "text",
    [
        "What is it?",
        "What is it? A. This is.",
        "Who wrote it? A. Yes, A. A. Milne did. B. No.",  # which A. is the option?
        "What did Samuel A. Jackson say to Mr. B. Smith",
    ],
)
def test_what_does_not_read_cleanly_stays_as_it_is(text):
    assert split_options(text) == (text, ())


def hub_row(n):
    return {"question": f"What is {n}?", "mc1_targets": {"choices": ["right", "x", "y", "z"], "labels": [1, 0, 0, 0]}}


def test_the_hubs_choices_are_shuffled_and_the_answer_follows():
    records = [read_released("place", "validation", hub_row(n)) for n in range(40)]
    assert all(record.options["ABCD".index(record.answer)] == "right" for record in records)
    assert {record.answer for record in records} == set("ABCD")
    assert records == [read_released("place", "validation", hub_row(n)) for n in range(40)]
    assert records[0].split == "test"  # there is no other split


def test_a_row_with_two_right_choices_has_no_answer():
    row = hub_row(1)
    row["mc1_targets"]["labels"] = [1, 1, 0, 0]
    assert read_released("place", "validation", row).answer == ""


def test_another_form_is_not_read():
    assert read_released("place", "train", {"question": "What?", "answer": "A"}) is None
