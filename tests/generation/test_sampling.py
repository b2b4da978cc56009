"""Drawing tokens: by the model's probabilities, from the tokens that the options leave."""

import pytest
import torch

from memreason.generation.decoding import Decoding
from memreason.generation.sampling import Draw, Draws, draw

VOCABULARY = 700
"""More than two blocks, and no whole number of them."""


def drawn(logits: torch.Tensor, decoding: Decoding, count: int = 5000) -> torch.Tensor:
    """(vocabulary,) how often each token is drawn by evenly spread numbers."""
    numbers = [(i + 0.5) / count for i in range(count)]
    ids = draw(logits.expand(count, -1), [Draw(decoding, number) for number in numbers])
    return torch.bincount(ids, minlength=len(logits)) / count


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_they_are_likely(temperature: float) -> None:
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(0)) * 2
    expected = (logits / temperature).softmax(-1)
    assert (drawn(logits, Decoding(temperature=temperature)) - expected).abs().max() < 3e-4


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"top_k": 3}, 3),
        ({"top_p": 0.5}, 1),
        ({"top_p": 0.51}, 2),
        ({"min_p": 0.2}, 3),
        ({"top_k": 2, "min_p": 0.2}, 2),
        ({"top_k": 1}, 1),
        ({"min_p": 1.0}, 1),
        ({"top_k": 10_000}, 5),
    ],
)
def test_only_what_the_options_leave_is_drawn(options: dict[str, float], left: int) -> None:
    chances = torch.zeros(VOCABULARY)
    places = [5, 300, 699, 256, 255]
    chances[places] = torch.tensor([0.505, 0.25, 0.125, 0.09, 0.03])
    found = drawn(chances.log(), Decoding(temperature=1.0, **options))  # type: ignore[arg-type]
    kept = places[:left]
    assert set(found.nonzero()[:, 0].tolist()) == set(kept)
    assert torch.allclose(found[kept], chances[kept] / chances[kept].sum(), atol=1e-3)


def test_a_flat_distribution_needs_more_than_the_most_likely_tokens() -> None:
    logits = 5e-4 * torch.arange(2000)
    found = drawn(logits, Decoding(temperature=1.0, top_p=0.99), 10_000)
    chances = logits.softmax(-1).sort(descending=True).values.cumsum(-1)
    assert int((found > 0).sum()) == pytest.approx(int((chances < 0.99).sum()) + 1, abs=2)


def test_rows_may_have_different_settings() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [5.0, 1.0, 2.0]])
    settings = [Decoding(temperature=1.0), Decoding(temperature=1.0, top_k=1), Decoding(temperature=0.1, top_p=0.5)]
    assert draw(logits, [Draw(one, 0.0) for one in settings]).tolist() == [0, 2, 0]
    assert draw(logits, [Draw(one, 1 - 1e-12) for one in settings]).tolist() == [2, 2, 0]


def test_an_impossible_token_is_never_drawn() -> None:
    logits = torch.full((3, 600), -torch.inf)
    for row, at in enumerate((0, 255, 599)):
        logits[row, at] = 0.0
    for number in (0.0, 0.5, 1 - 2**-53):
        assert draw(logits, [Draw(Decoding(temperature=1.0), number)] * 3).tolist() == [0, 255, 599]


def test_numbers_differ_between_prompts_samples_seeds_and_places_and_are_the_same_again() -> None:
    def numbers(seed: int, prompt: list[int], sample: int) -> list[float]:
        draws = Draws(Decoding(temperature=1.0, seed=seed), prompt, sample)
        return [draws.uniform(place, again) for place in (70, 0, 3) for again in (False, True)]

    kinds = [(0, [1, 2], 0), (1, [1, 2], 0), (0, [1, 3], 0), (0, [1, 2], 1), (0, [12], 0)]
    all_numbers = [number for kind in kinds for number in numbers(*kind)]
    assert len(set(all_numbers)) == len(all_numbers)
    assert numbers(*kinds[0]) == numbers(*kinds[0])
