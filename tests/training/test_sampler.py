"""The order of an epoch can be had again, and its batches hold little padding."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.trainer_pt_utils import get_length_grouped_indices

from memreason.training.sampler import EpochSeededSampler


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    lengths = list(range(100, 0, -1))

    def order(seed: int, epoch: int) -> list[int]:
        torch.manual_seed(torch.seed())  # whatever else has drawn before
        sampler = EpochSeededSampler(4, lengths, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1) and order(1, 0) != order(2, 0)
    assert sorted(order(1, 0)) == list(range(100))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 99))
def test_the_order_is_that_of_transformers_for_the_same_generator(lengths: list[int], size: int, seed: int) -> None:
    sampler = EpochSeededSampler(size, np.array(lengths), seed)
    sampler.set_epoch(3)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + 3)
    assert list(sampler) == get_length_grouped_indices(lengths, size, generator=generator)
    assert len(sampler) == len(lengths)


def test_batches_hold_texts_of_like_length() -> None:
    lengths = [10 + 7 * i % 90 for i in range(400)]
    sampler = EpochSeededSampler(8, lengths, seed=0)
    order = list(sampler)
    batches = [[lengths[i] for i in order[start : start + 8]] for start in range(0, 400, 8)]
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert padded < 1.15 * sum(lengths)
