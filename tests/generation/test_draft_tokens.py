"""What the layout all but decides is guessed, and what came after the same ids before."""

from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS, make_tokenizer

from memreason.generation.draft_tokens import Guesses
from memreason.planning_tokens.layout import PLAN_FIRST, PlanningTokens


def test_along_a_solution_the_guesses_are_right() -> None:
    layout = PlanningTokens(2, 3, ("memory", "reason"))
    tokenizer = make_tokenizer(bos=False)
    tokenizer.add_tokens(layout.names)
    guesses = Guesses(layout, tokenizer)
    encoded = layout.encode(tokenizer, SOLUTIONS[0])
    written, guessed, at = encoded.ids[encoded.prompt_length :], 0, 1
    while at < len(written):
        guess = guesses(written[:at], 0)
        assert guess == written[at : at + len(guess)]
        guessed += len(guess)
        at += len(guess) + 1
    # Of each line the two other special tokens, after two lines the prefix, and "The answer is:".
    assert guessed == 3 * 2 + 2 * 2 + len(tokenizer.encode(" The answer is:"))


@pytest.mark.parametrize(
    "layout", [PlanningTokens(1, 1, ("memory",), PLAN_FIRST), PlanningTokens(step_types=("memory",), words=True)]
)
def test_other_layouts_are_not_guessed_at(layout: PlanningTokens, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(bos=False)
    tokenizer.add_tokens(layout.names)
    guesses = Guesses(layout, tokenizer)
    ids = layout.encode(tokenizer, SOLUTIONS[0]).ids
    assert not any(guesses(ids[: i + 1], 0) for i in range(len(ids)))


def without_layout() -> Guesses:
    return Guesses(PlanningTokens(step_types=("memory",), words=True), make_tokenizer(bos=False))


def remember(guesses: Guesses, ids: list[int]) -> None:
    for at in range(1, len(ids) + 1):
        guesses(ids[:at], 1)


def test_what_came_after_the_same_ids_before_is_guessed_as_far_as_it_is_likely() -> None:
    guesses, ids = without_layout(), [5, 6, 7, 8, 9]
    remember(guesses, ids)
    assert guesses([1, 5, 6], 0) == [7]  # half the chance is taken, a quarter not
    remember(guesses, ids)
    remember(guesses, ids)
    assert guesses([1, 5, 6], 0) == [7, 8]
    assert guesses([1, 6, 5], 0) == []


def test_the_longer_context_decides_and_the_more_frequent_id_wins() -> None:
    guesses = without_layout()
    for _ in range(3):
        remember(guesses, [1, 5, 6, 7])
        remember(guesses, [2, 5, 6, 8])
        remember(guesses, [2, 5, 6, 8])
    assert guesses([1, 5, 6], 0)[0] == 7
    assert guesses([3, 5, 6], 0)[0] == 8


def test_what_is_told_again_is_not_counted_again() -> None:
    guesses = without_layout()
    for _ in range(5):
        guesses([5, 6, 7], 0)
    assert guesses([1, 5, 6], 0) == []


def test_guesses_are_few() -> None:
    guesses, ids = without_layout(), list(range(20))
    for _ in range(100):
        remember(guesses, ids)
    assert guesses([0, 1, 2], 0) == [3, 4, 5, 6, 7, 8]
