"""Fields of rows: ids, answers and options as people write them."""

import pytest

from memreason.records import spelled
from memreason.tasks.fields import identifier, without_letters


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), ("0", "0"), (7.0, "7"), (None, ""), (float("nan"), ""), (" q\n1 ", "q 1"), ("", "")]
)
def test_an_id_is_a_text_or_a_number(value, text):
    assert identifier(value) == text


@pytest.mark.parametrize("value", [True, [1], {"a": 1}])
def test_all_else_is_no_id(value):
    with pytest.raises(TypeError, match='field "id" must be a text or a number'):
        identifier(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.0, "2"), (2.5, "2.5"), (-0.0, "0"), (1e20, "1e+20"), (True, "True"), (float("inf"), ""), ("2.0", "2.0")],
)
def test_a_number_is_spelled_as_it_is_written(value, text):
    assert spelled(value) == text


@pytest.mark.parametrize(
    "options",
    [["A. Paris", "B. Rome"], ["A) Paris", "B) Rome"], ["(A) Paris", "(B) Rome"], ["a: Paris", "b: Rome"],
     ["A.Paris", "B.Rome"], ["[A] Paris", "[B] Rome"], ["A - Paris", "B - Rome"],
     ["Option A: Paris", "Option B: Rome"]],
)  # fmt: skip
def test_letters_in_order_come_off(options):
    assert without_letters(options) == (("Paris", "Rome"), True)


@pytest.mark.parametrize(
    "options",
    [["A. Paris", "Rome"], ["B. Paris", "A. Rome"], ["A. Paris", "A. Rome"], ["A dog", "B flat"], ["A", "B"],
     ["A.", "B."], ["Vitamin A", "Vitamin B"], ["1. Paris", "2. Rome"], []],
)  # fmt: skip
def test_what_is_no_row_of_letters_stays(options):
    assert without_letters(options) == (tuple(options), False)


@pytest.mark.parametrize(
    ("options", "bare"),
    [
        (("**A.** Oslo", "**B.** Bern"), ("Oslo", "Bern")),
        (("A、Oslo", "B、Bern"), ("Oslo", "Bern")),
        (("A.D. 50", "B.C. 50"), ("A.D. 50", "B.C. 50")),
    ],
)
def test_letters_in_other_dress_and_abbreviations(options: tuple[str, ...], bare: tuple[str, ...]) -> None:
    assert without_letters(options)[0] == bare
