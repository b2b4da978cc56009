"""The calculator: exact, safe on any text, and spelling its results as GSM8K does."""

import ast
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreason.answers.calculator import LONGEST, Mark, calculate, check_marks, evaluate, spell_result
from memreason.tasks.registry import load_task

DATA = Path(__file__).parents[2] / "../shared/data/raw/gsm8k"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("48/2", "24"), ("1/2", "0.5"), ("0.1+0.2", "0.3"), ("2*3.50", "7"), ("3-5", "-2"), ("10-2-3", "5"),
        ("2+3*4", "14"), ("(2+3)*4", "20"), ("100/8/2", "6.25"), ("-3+5", "2"), ("2*-3", "-6"), ("-(2+3)", "-5"),
        ("1,234+1", "1235"), ("20%*50", "10"), ("50*20%", "10"), (".5*4", "2"), ("5.*2", "10"), ("$5*3", "15"),
        ("5 x 3", "15"), ("6×7", "42"), ("9÷3", "3"), ("7−2", "5"), ("100/3", "33.33333333"), ("2/3", "0.66666667"),
        ("560//10", "56"), ("7//2", "3"), ("48", "48"), (" 1 + 1 ", "2"), ("100000*100000", "10000000000"),
        ("1/1000000000", "0"), ("((((1))))", "1"), ("-0", "0"),
    ],
)  # fmt: skip
def test_results(expression: str, result: str) -> None:
    assert calculate(expression) == result


@pytest.mark.parametrize(
    "expression",
    ["", " ", "1/0", "5//0", "1+", "+", "(1", "1)", "()", "1 2", "2**9", "9^9", "a+1", "1e9", "__import__('os')",
     "1,23", "1.2.3", "5%3", "f(2)", "2(3)", "=", "1=1", "1+1=2", "٣", "²", "1" * (LONGEST + 1), "(" * LONGEST, "\0"],
)  # fmt: skip
def test_what_is_no_sum_has_no_result(expression: str) -> None:
    assert calculate(expression) is None


@given(st.text(alphabet="0123456789.,+-*/()% x$", max_size=LONGEST))
def test_any_text_will_do_and_a_result_reads_back(expression: str) -> None:
    result = calculate(expression)
    assert result is None or evaluate(result) == evaluate(spell_result(evaluate(result)))


expressions = st.recursive(
    st.integers(0, 999).map(str) | st.decimals(0, 99, places=2).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: "({}{}{})".format(*parts)),
    max_leaves=6,
)


def by_python(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant):
        return Fraction(str(node.value))
    assert isinstance(node, ast.BinOp)
    left, right = by_python(node.left), by_python(node.right)
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    return left * right if isinstance(node.op, ast.Mult) else left / right


@given(expressions)
def test_it_reads_as_python_does(expression: str) -> None:
    try:
        expected = by_python(ast.parse(expression.lstrip("0") or "0", mode="eval").body)
    except (ZeroDivisionError, SyntaxError):  # Python reads no 007
        return
    if len(expression) <= LONGEST:
        assert evaluate(expression) == expected


def test_marks_are_checked() -> None:
    text = "48/2 = <<48/2=24>>24, then <<24+1=26>>26, <<100/3=33.33>>33.33, <<100/3=33>>33, <<a+1=2>>2, <<1+1=>>, <<5>>"
    assert check_marks(text) == [
        Mark("48/2", "24", True),
        Mark("24+1", "26", False),
        Mark("100/3", "33.33", True),  # rounded to the places that are written
        Mark("100/3", "33", False),
        Mark("a+1", "2", None),
        Mark("1+1", "", False),
    ]
    assert check_marks("no marks: 1+1=2, <1+1=2>") == []


@pytest.mark.parametrize(
    ("written", "true"), [("7.50", True), (".5", False), ("7.5", True), ("$7.5", True), ("8", False)]
)
def test_a_result_is_compared_as_a_number(written: str, true: bool) -> None:
    assert check_marks(f"<<15/2={written}>>") == [Mark("15/2", written, true)]


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here (../shared/data)")
def test_gsm8ks_own_marks() -> None:
    """All are right; where the spelling differs it is by zeros: 7.50 for 7.5, .5 for 0.5."""
    splits = load_task("gsm8k", str(DATA)).splits.values()
    marks = [mark for split in splits for s in split for step in s.steps for mark in check_marks(step.text)]
    spelled = sum(calculate(mark.expression) == mark.written for mark in marks)
    assert Counter(mark.true for mark in marks) == {True: len(marks)}
    assert len(marks) > 27_000 and spelled / len(marks) > 0.97
