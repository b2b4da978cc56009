"""Numbers as answers: what is one, what is not, and equal ones spelled the same."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreason.answers.extract import extract_flexible, extract_strict, normalise_gold, outcome
from memreason.answers.number import find_number, first_number, last_number, spell
from memreason.records import Question

QUESTION = Question("q", "How many?", "5")


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("72", "72"), ("1,234", "1234"), ("1,234,567.80", "1234567.8"), ("5.00", "5"), ("5.", "5"), ("$5", "5"),
        ("$1,000.50", "1000.5"), ("5 $", "5"), ("€3", "3"), ("50%", "50"), ("50 percent", "50"), ("50\\%", "50"),
        ("-7", "-7"), ("−7", "-7"), ("-$7", "-7"), ("$-7", "-7"), ("+7", "7"), (".5", "0.5"), ("-.5", "-0.5"),
        ("1/2", "0.5"), ("1 / 3", "1/3"), ("2/6", "1/3"), ("1 1/2", "1.5"), ("-1 1/2", "-1.5"), ("0", "0"), ("-0", "0"),
        ("007", "7"), ("**12**", "12"), ("  8  ", "8"), ("0.125", "0.125"),
    ],
)  # fmt: skip
def test_strictly_the_line_is_a_number_with_its_decorations(line: str, number: str) -> None:
    assert extract_strict(line, QUESTION, "number") == number


@pytest.mark.parametrize(
    "line",
    ["", "five", "5 apples", "x = 5", "5 + 5", "about 5", "5 or 6", "1,23", "12,34", "1.2.3", "1/0", "5/", "--5", "5%%",
     "5 1", "<<2+3=5>>5", "1" * 41, "٣ items"],
)  # fmt: skip
def test_strictly_anything_else_is_no_answer(line: str) -> None:
    assert extract_strict(line, QUESTION, "number") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She has 5 apples.", "5"),
        ("The answer is: 5 apples for 2 children", "5"),  # what comes at once after the phrase
        ("The answer is: $1,234.50.", "1234.5"),
        ("The answer is: unclear, between 3 and 4", "3"),
        ("The answer is: unclear\nsay 4", "4"),
        ("Sold 48/2 = <<48/2=24>>24 clips", "24"),
        ("48-24", "24"),  # a minus sign is none between two numbers
        ("It fell to -24 degrees", "-24"),
        ("a range of 5-7", "7"),
        ("It is 1/2", "0.5"),
        ("It is 2 1/2 cups", "2.5"),
        ("5 km2", "5"),  # no number begins inside a word
        ("The answer is: 7\nQuestion: What is 9?", "7"),
        ("<prefix_0><answer_3> The answer is: 8", "8"),
        ("no number here", None),
        ("1" * 60, None),
        ("It is 1/0", None),
    ],
)
def test_flexibly_a_number_is_found_in_the_text(text: str, number: str | None) -> None:
    assert extract_flexible(text, QUESTION, "number") == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7*3=21\n#### 21\n\nI looked at all 4 lines.", "21"),
        ("7*3=21\n#### 21\n\nQ: Ann has 2 and 2?\n#### 4", "21"),
        ("#### $1,021.00 in 4 weeks", "1021"),
        ("It is 21.\n#### Step 2: a check\nIndeed 21.", "21"),  # a heading
        ("It is 21.\n#### 1. Check it\nFine, 21.", "21"),
        (r"So \boxed{21} after 4 steps", "21"),
        (r"So \boxed{\$21\text{ dollars}} after 4 steps", "21"),
        ("<answer>21</answer> in 4 steps", "21"),
        ("Answer: 21 (7 bags x $3)", "21"),
        ("**Answer:** 21\n\nTell me if 4 is meant.", "21"),
        ("**Final Answer**\n\n$21 in 4 weeks", "21"),
        ("Answer: 4 bags are left over, so 7 * 3 = 21", "21"),  # the start of a solution
        ("The answer is: 7 * 3 = 21", "21"),
        ("The answer is 7 bags x $3 = $21 in 4 weeks", "21"),
        ("The answer is x = 21 for 4 of them", "21"),
        ("The answer is 21, since 7 * 3 = 21", "21"),
        ("The answer is not 4.\nIt is 21", "21"),
        ("The answer is 7 * 3", "21"),
        ("The answer is 21 = 7 * 3", "21"),
        ("The answer is minus 21", "-21"),
        ("The answer is 20 or 21 bags", None),
        (r"\boxed{20} or \boxed{21}", None),
        ("The answer is 20 or 21.\n#### 21", "21"),
        ("The answer is: –21", "-21"),
        (r"The answer is: $-\frac{1}{4}$", "-0.25"),
        (r"The answer is \frac34 of 8", "0.75"),
        (r"The answer is 2\frac{1}{2} of 8", "2.5"),
        ("The answer is 2½ of 8", "2.5"),
        ("The answer is 2.1e1 or so", "21"),
        (r"The answer is $2.1 \times 10^{1}$", "21"),
        ("答案是21。共4步", "21"),
        ("La respuesta es 21, en 4 pasos", "21"),
        ("The answer is 21<|im_end|>\n<|im_start|>user\nThe answer is 4", "21"),
        ("<think>The answer is 4?</think>It is 21", "21"),
        ("<think>The answer is 21. Or", None),
        ("The answer is " + "9" * 5000, None),
    ],
)
def test_the_marks_that_end_an_answer_are_minded(text: str, number: str | None) -> None:
    assert extract_flexible(text, QUESTION, "number") == number


@pytest.mark.parametrize(
    ("line", "number"),
    [("**21**", "21"), ("$21$", "21"), (r"\boxed{21}", "21"), ("–21", "-21"), (r"\frac{1}{4}", "0.25"), ("2.1e1", "21"),
     ("1¼", "1.25"), (r"21\%", "21"), ('"21"', "21"), ("9" * 5000, None), ("1e999", None), ("7 * 3 = 21", None)],
)  # fmt: skip
def test_a_line_may_be_dressed_and_typeset(line: str, number: str | None) -> None:
    assert extract_strict(line, QUESTION, "number") == number


@pytest.mark.parametrize("piece", ["answer is ", "#### ", "1 x ", "7 bags ", "½", "1/", "\n", "x = ", r"\boxed{"])
def test_repetition_takes_no_time(piece: str) -> None:
    extract_flexible(piece * (50_000 // len(piece)), QUESTION, "number")


def test_first_and_last() -> None:
    assert (first_number("from 3 to 1,000 and 2.5"), last_number("from 3 to 1,000 and 2.5")) == ("3", "2.5")


@pytest.mark.parametrize(
    ("gold", "normal"), [("1,000", "1000"), (51.0, "51"), (3, "3"), ("0.50", "0.5"), ("many", None)]
)
def test_a_gold_answer_is_a_number_in_one_spelling(gold: object, normal: str | None) -> None:
    assert normalise_gold(gold, QUESTION, "number") == normal


def test_outcomes() -> None:
    assert outcome("0.5", "0.5", "number") == "correct"
    assert outcome("5", "0.5", "number") == "incorrect"
    assert outcome(None, "0.5", "number") == "no_answer"


numbers = st.fractions(max_denominator=10**6)


@given(numbers)
def test_what_is_spelled_reads_back_as_the_same_number(value: Fraction) -> None:
    text = spell(value)
    assert Fraction(text) == value
    assert extract_strict(text, QUESTION, "number") == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12))
def test_commas_currency_and_zeros_change_nothing(value) -> None:
    plain = extract_strict(f"{value:f}", QUESTION, "number")
    assert plain == extract_strict(f"${value:,f}00.", QUESTION, "number") == spell(Fraction(value))


@given(st.text(alphabet="0123456789,./-$% <>=x\n"))
def test_any_text_will_do(text: str) -> None:
    extract_strict(text, QUESTION, "number")
    extract_flexible(text, QUESTION, "number")


def test_a_reason_after_the_number_is_not_read() -> None:
    assert find_number("Answer: 12 because 4 * 3 = 12; 2 are left") == "12"
