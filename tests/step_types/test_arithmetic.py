"""The operator of a step's first sum: from the calculator's mark, else from the text."""

import re
from pathlib import Path

import pytest
from conftest import SHARED
from hypothesis import given
from hypothesis import strategies as st

from memreason.records import PLAIN, Question, Solution, Step
from memreason.runtime.files import read_jsonl
from memreason.step_types.arithmetic import METHODS, NAMES, Arithmetic, operator
from memreason.step_types.corpus import Corpus

NUMBER = st.one_of(
    st.integers(0, 99999).map(str), st.decimals(0, 999, places=2).map(str), st.integers(1, 99).map(lambda n: f".{n}")
)


@given(NUMBER, st.sampled_from("+-*/"), NUMBER, st.text("abc $.,", max_size=20))
def test_a_calculator_mark_decides(one: str, sign: str, other: str, words: str) -> None:
    assert operator(f"{words} {one}{sign}{other} = <<{one}{sign}{other}=7>>7 {words}") == sign
    assert operator(f"He has 3 + 4 things, so <<{one}{sign}{other}=7>>7") == sign


@given(NUMBER, st.sampled_from("+-*/"), NUMBER)
def test_without_a_mark_the_text_gives_the_same(one: str, sign: str, other: str) -> None:
    for spelling in {"*": ["*", "x", "×", "times"], "/": ["/", "÷", "divided by"], "-": ["-", "−", "minus"]}.get(
        sign, ["+", "plus"]
    ):
        assert operator(f"She pays ${one} {spelling} {other} = $7.") == sign


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("There are 5 red apples + 3 apples = 8 apples", "+"),
        ("At $4/hour * 8 hours he earns $32", "*"),
        ("3(4 + 5) = 27", "+"),
        ("<<-18/-2=9>>9", "/"),
        ("<<(10-4)*3=18>>18", "-"),
        ("so x = <<36=36>>36", "n"),
        ("12+24 = <<36=36>>36", "+"),
        ("He has a 5-year plan with 3 parts", "n"),
        ("Let x be the number of apples", "n"),
        ("Paris is the capital of France.", "n"),
        ("", "n"),
    ],
)
def test_steps_as_people_write_them(text: str, sign: str) -> None:
    assert operator(text) == sign


def test_it_is_a_method_like_the_others() -> None:
    steps = (Step(PLAIN, "2 + 2 = 4"), Step(PLAIN, "so be it"))
    corpus = Corpus([Solution(Question("q", "?", "4"), steps)])
    types = METHODS["+-*/"].restore(NAMES, *Arithmetic().state())
    assert [types.names[i] for i in types.assign(corpus)] == ["+", "n"]


def test_on_gsm8k_the_text_without_its_marks_gives_the_same_in_most_steps() -> None:
    path = SHARED / "raw" / "gsm8k" / "train.jsonl"
    if not Path(path).exists():
        pytest.skip("GSM8K is not here")
    steps = [s for _, row in read_jsonl(path) for s in row["answer"].split("\n") if "<<" in s][:5000]
    same = sum(operator(step) == operator(re.sub("<<.*?>>", "", step)) for step in steps)
    assert same / len(steps) > 0.98
