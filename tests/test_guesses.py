"""What the layout all but decides is guessed, and nothing else."""

from pathlib import Path

import pytest
from tiny import SOLUTIONS, make_tokenizer

from memreason.guesses import Guesses
from memreason.planning_tokens import PLAN_FIRST, PlanningTokens


def test_along_a_solution_the_guesses_are_right() -> None:
    layout = PlanningTokens(2, 3, ("memory", "reason"))
    tokenizer = make_tokenizer(bos=False)
    tokenizer.add_tokens(layout.names)
    guesses = Guesses(layout, tokenizer)
    encoded = layout.encode(tokenizer, SOLUTIONS[0])
    written, guessed, at = encoded.ids[encoded.prompt_length :], 0, 1
    while at < len(written):
        guess = guesses(written[:at])
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
    assert not any(guesses(ids[: i + 1]) for i in range(len(ids)))
