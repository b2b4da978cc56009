"""A study notices where arms differ in more than their options."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.studies import recipe

from memreason.evaluation.training_account import TrainingAccount
from memreason.records import Question
from memreason.study.cells import Cell
from memreason.study.checks import Trained, other_questions, problems

ACCOUNT = TrainingAccount(
    4, 100, optimizer_steps=6, trained_tokens=300, trained_weights=8, questions="q", solutions="s", order="o"
)
ARMS = {"plain": "{lora_r: 4}", "typed": "{}"}


def trained(arm: str, seed: int = 1, size: int | None = None, **options: object) -> Trained:
    account = replace(ACCOUNT, **{name: options.pop(name) for name in list(options) if hasattr(ACCOUNT, name)})
    return Trained(Cell(arm, seed, size, ()), account, {"seed": seed, "learning_rate": 0.1, "lora_r": 16, **options})


def test_arms_that_differ_in_their_options_alone_pass(tmp_path: Path) -> None:
    runs = [
        trained("plain", lora_r=4), trained("typed"), trained("typed", seed=2, order="another seed's"),
        trained("typed", size=2, questions="fewer", solutions="fewer", train_subset=2),
    ]  # fmt: skip
    assert problems(recipe(tmp_path, ARMS), runs) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"questions": "x"}, "typed/seed-1 was taught other questions than plain/seed-1"),
        ({"solutions": "x"}, "typed/seed-1 was taught other solutions than plain/seed-1"),
        ({"order": "x"}, "typed/seed-1 was taught its questions in another order than plain/seed-1"),
        ({"optimizer_steps": 7}, "typed/seed-1 made 7 optimizer steps, plain/seed-1 6"),
        ({"learning_rate": 0.2}, "typed/seed-1 was trained with learning_rate 0.2, plain/seed-1 with 0.1"),
    ],
)
def test_an_arm_that_differs_in_data_order_amount_or_settings_does_not(
    changed: dict, problem: str, tmp_path: Path
) -> None:
    assert problems(recipe(tmp_path, ARMS), [trained("plain"), trained("typed", **changed)]) == [problem]


def test_an_arm_whose_order_was_not_recorded_does_not(tmp_path: Path) -> None:
    (problem,) = problems(recipe(tmp_path, ARMS), [trained("plain"), trained("typed", order=None)])
    assert problem.startswith("typed/seed-1 did not record the order of its training")


def test_the_same_number_of_tokens_can_be_asked_for_instead_of_steps(tmp_path: Path) -> None:
    more = "match: tokens\nshared: {num_train_tokens: 300}\n"
    runs = [trained("plain", num_train_tokens=300), trained("typed", optimizer_steps=5, num_train_tokens=300)]
    assert problems(recipe(tmp_path, ARMS, more), runs) == []
    runs[1] = trained("typed", trained_tokens=500, num_train_tokens=300)
    (problem,) = problems(recipe(tmp_path, ARMS, more), runs)
    assert problem == "typed/seed-1 was trained on 500 tokens, and not on about 300"


def test_all_arms_are_asked_the_same_questions() -> None:
    one, two = Question("1", "Is it?", "True"), Question("2", "Is it not?", "True")
    assert other_questions({"a": [one, two], "b": [one, two]}) == []
    assert other_questions({"a": [one, two], "b": [one], "c": [replace(one, answer="False"), two]}) == [
        "b was asked other test questions than a", "c was asked other test questions than a"
    ]  # fmt: skip
