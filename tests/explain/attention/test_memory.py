"""What is said of memory is what it takes."""

import pytest

from memreason.explain.attention.memory import AT_ONCE, memory


def test_memory_is_bounded_whatever_the_size_of_the_model() -> None:
    small = memory(layers=30, heads=9, groups=3, tokens=700)
    large = memory(layers=32, heads=32, groups=8, tokens=700, itemsize=2)
    assert small.all_weights == 30 * 9 * 700 * 700 * 4
    assert large.all_weights == 32 * 32 * 700 * 700 * 2
    for one in (small, large):
        assert one.block <= AT_ONCE * 4 * 8
        assert one.peak < 0.1 * one.all_weights
    assert memory(30, 9, 3, 7000).peak < 0.06 * memory(30, 9, 3, 7000).all_weights


@pytest.mark.parametrize("tokens", [10, 700, 100_000])
def test_a_block_has_at_least_one_row_and_at_most_all(tokens: int) -> None:
    rows = memory(2, 8, 2, tokens).block / (4 * 8) / tokens / 4
    assert 1 <= rows <= tokens
