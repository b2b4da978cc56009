"""Sentences: where one ends, and where none does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreason.tasks.sentences import sentences


@pytest.mark.parametrize(
    "parts",
    [
        ["One.", "Two!", "Three?", "And four"],
        ["A pear has 0.59 g/cm^3.", "Water has 1."],
        ["He lived in the U.S. Army base.", "Dr. No met Mr. T. in St. Ives."],
        ["It was built c. 1200 by J. K. Rowling.", "See Fig. 3."],
        ['"Is it?"', "It is (I think.)", "2 of 3 are."],
        ["We have $x = 3.$", "Then $y. Z$ is 4.", "$z$ is $\\$5.$"],
        ["So \\[x = 1. Y\\] holds.", "Then \\(a. B\\) does."],
        ["We get\n\n\\[x = 5.\\]", "Therefore, $y = 2$."],
        ["It is \\begin{align*} x &= 1. \\\\ Y &= 2. \\end{align*}", "Done."],
        ["A \\begin{array}{c} \\begin{array}{c} x. Y \\end{array} z. W \\end{array} ends.", "Done."],
        ["Look.", "[asy] draw(a. B); [/asy]", "Thus it is $\\boxed{5}$."],
        ["1. First this.", "2. Then that."],
        ["(a) First this.", "(b) then that."],
        ["It is $\\boxed{\\text{Mon. or Tue.}}$.", "Yes."],
        ["It costs $5 or $6."],  # dollar signs that are no formula's
    ],
)
def test_the_parts_are_found(parts):
    assert sentences(" ".join(parts)) == parts


@given(st.lists(st.sampled_from(["A b.", "$x. Y$", "\\[", "\\]", "\\begin{a}", "\\end{a}", "So.", "$", "x", "\n\n"])))
def test_nothing_is_lost(pieces):
    text = " ".join(pieces)
    assert "".join(" ".join(sentences(text)).split()) == "".join(text.split())


@given(st.text(alphabet=" .$\\[](){}aA1\n"))
def test_any_text_will_do(text):
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
