"""The JSON object in a reply: nothing around it hides it, nothing in it is taken for something else."""

import json
import time

import pytest

from memreason.label.rejection_reasons import Problem
from memreason.label.reply_json import find_object

OBJECT = {"facts": ["a"]}
WRITTEN = json.dumps(OBJECT)


@pytest.mark.parametrize(
    "after", ["\nNote: x lies in [1, 2).", " (see [3", "\nFor all {x", " }", "\n<think>Was that right?</think>",
              "\n<think>Was it", "</fin>", "\n```\nDone [ok"],
)  # fmt: skip
def test_what_stands_after_a_whole_object_does_not_matter(after: str) -> None:
    assert find_object(WRITTEN + after, "facts") == OBJECT


@pytest.mark.parametrize(
    "text",
    ["x in [0, 1)", "open { brace", "]}", "<think>", "a </think> b", "<think> in </think> it", "{'a': [", '\\"{'],
)  # fmt: skip
def test_what_stands_in_a_text_of_the_object_is_its_text(text: str) -> None:
    assert find_object(f"<think>hm {{</think>{json.dumps({'facts': [text]})}\n", "facts") == {"facts": [text]}


def test_brackets_in_a_text_do_not_hinder_mending() -> None:
    assert find_object('{"facts": ["x in [0, 1)",],}', "facts") == {"facts": ["x in [0, 1)"]}


def test_line_breaks_as_they_are_do_no_harm() -> None:
    assert find_object('{"facts": ["a\nb\tc"]}', "facts") == {"facts": ["a\nb\tc"]}


@pytest.mark.parametrize("again", ['{"facts": ["b', "{'facts': ['b'", '{\n"facts": ["b"], "more": [1'])
def test_a_second_object_that_breaks_off_is_not_overlooked(again: str) -> None:
    with pytest.raises(Problem, match="breaks off"):
        find_object(f"{WRITTEN}\nBetter: {again}", "facts")


def test_a_number_of_thousands_of_digits_is_no_crash() -> None:
    with pytest.raises(Problem):
        find_object(f'{{"facts": {"9" * 5000}', "facts")


@pytest.mark.parametrize(
    "text",
    ['{"' * 150_000, '{"a":' * 300 + "[" * 200_000, '{"x":"' + '\\"' * 200_000, ('{"a":"' + "x" * 500) * 1000,
     "<think>" * 100_000, "</think>" * 100_000, '{"steps": "' + "$\\to" * 100_000,
     '{"a":1} ' * 50_000, "\\ne" * 200_000,
     '"' * 200_000 + "{" * 1000, "{" + '"' * 19_000 + "}", "{" + "[1," * 6000 + "}", "x" * 2_000_000],
    ids=range(13),
)  # fmt: skip
def test_no_text_takes_quadratic_time(text: str) -> None:
    start = time.process_time()
    with pytest.raises(Problem):
        find_object(text, "facts")
    assert time.process_time() - start < 2
