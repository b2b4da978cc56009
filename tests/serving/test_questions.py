"""Which question a message or prompt is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreason.planning_tokens.prompt import question_text
from memreason.records import Question, one_line
from memreason.serving.errors import ApiError
from memreason.serving.questions import question_in, split_options

CITIES = ("Seoul", "Tokyo", "St. Louis")
WHICH = "Which city is in Japan?"


def test_options_are_read_back_from_the_form_in_which_prompts_have_them() -> None:
    asked = question_in(f"{WHICH}\nOptions: A. Seoul B. Tokyo C. St. Louis", None, "", "prompt")
    assert (asked.text, asked.options) == (WHICH, CITIES)


def test_a_whole_prompt_of_training_is_its_question() -> None:
    prompt = question_text(Question("q", WHICH, "", CITIES)) + "<prefix_0>"
    assert question_in(prompt, None, "<prefix_0>", "prompt").text == WHICH


def test_options_can_stand_beside_the_text() -> None:
    assert question_in(WHICH, list(CITIES), "", "prompt").options == CITIES


@pytest.mark.parametrize(
    "text",
    ["Which options: A. or B. ?", "A\nOptions: A. only one", "Options: A. x B. y", "A\nOptions: A. x B. y\nmore"],
)
def test_other_texts_with_the_word_are_questions_as_they_are(text: str) -> None:
    assert split_options(text) == (text, ())


@given(st.text("AB. \nx"), st.lists(st.text("AB. x", min_size=1).filter(str.strip), min_size=2, max_size=26))
def test_the_prompt_is_that_of_the_whole_text_whatever_is_taken_for_options(text: str, options: list[str]) -> None:
    message = question_text(Question("q", f"q{text}", "", tuple(options))).removeprefix("Question: ")
    asked = question_in(message, None, "", "prompt")
    assert asked.options
    assert one_line(question_text(asked)) == one_line(f"Question: {message}")


@pytest.mark.parametrize(
    ("text", "options", "param"),
    [
        (" \n", None, "prompt"),
        ("Question: \n", None, "prompt"),
        (WHICH, ["one"], "options"),
        (WHICH, [], None),
        (WHICH, ["x"] * 27, "options"),
        (WHICH, ["x", " "], "options"),
        (f"{WHICH}\nOptions: A. x B. y", ["x", "y"], "options"),
    ],
)
def test_what_cannot_be_asked(text: str, options: list[str] | None, param: str | None) -> None:
    if param is None:
        assert question_in(text, options, "", "prompt").options == ()
        return
    with pytest.raises(ApiError) as caught:
        question_in(text, options, "", "prompt")
    assert (caught.value.status, caught.value.param) == (400, param)
