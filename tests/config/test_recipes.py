"""Recipes → options, each with its line."""

from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase

import pytest

from memreason.config.recipes import read_recipe
from memreason.errors import UserError


def read(tmp_path: Path, text: str | bytes) -> list[tuple[str, str, list[str]]]:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(place.removeprefix(f"{tmp_path}/"), name, values) for place, name, values in read_recipe(path)]


def test_values_are_what_is_written_with_the_line_that_they_stand_in(tmp_path: Path) -> None:
    recipe = read(
        tmp_path, "# mine\neval_strategy: no\nlearning_rate: 1e-3\ndata_path:\noptions: [a, no]\nkwargs: {x: 1}\n"
    )
    assert recipe == [
        ("recipe.yaml:2", "eval_strategy", ["no"]),
        ("recipe.yaml:3", "learning_rate", ["1e-3"]),
        ("recipe.yaml:4", "data_path", []),
        ("recipe.yaml:5", "options", ["a", "no"]),
        ("recipe.yaml:6", "kwargs", ['{"x": 1}']),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lora_r: 4\nseed: 1\nlora_r: 8\n", r"recipe\.yaml:3: lora_r stands there twice \(first in line 1\)"),
        ("kwargs:\n  a: 1\n  a: 2\n", r"recipe\.yaml:3: a stands there twice"),
        ("options: [[a]]\n", r"recipe\.yaml:1: option options: a list of texts or numbers"),
        ("[a]: 1\n", r"recipe\.yaml:1: expected the name of an option"),
        (b"dataset: \xff\n", "not UTF-8"),
        ("", "expected a mapping"),
        ("train --seed 1", "expected a mapping"),
        ("a: !!python/object:os.system {}\n", "cannot be read"),
        ("a: &a {b: *a}\n", r"more than 100,000 values \(an alias"),
        (
            "a: &a {x: 1}\n" + "".join(f"{b}: &{b} {{k: *{a}, l: *{a}}}\n" for a, b in pairwise(ascii_lowercase)),
            r"more than 100,000 values \(an alias",
        ),
        (f"a: [&a {'x' * 200_000}{', *a' * 1000}]\n", r"more than 100,000 values \(an alias"),
    ],
)
def test_what_cannot_be_read_is_named(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)
