"""Intervals by drawing again."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from memreason.compare.statistics.arm import Arm
from memreason.compare.statistics.bootstrap import bca, seeds_and_questions
from memreason.compare.statistics.crossed import spread
from memreason.compare.statistics.difference import difference
from memreason.compare.statistics.units import units

RNG = np.random.default_rng(0)


def ratio_difference(v1: np.ndarray, w1: np.ndarray, v2: np.ndarray, w2: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.asarray(v2.sum(axis) / w2.sum(axis) - v1.sum(axis) / w1.sum(axis))


def test_bca_is_that_of_scipy_for_a_share_of_steps_too() -> None:
    weight = RNG.integers(1, 9, (2, 60))
    value = RNG.binomial(weight, [[0.5], [0.85]])
    sides = units((Arm("first", value[0], weight[0]), Arm("second", value[1], weight[1])), None)
    expected = bootstrap(
        (value[0], weight[0], value[1], weight[1]), ratio_difference, method="BCa", n_resamples=40_000, paired=True,
        vectorized=True, rng=1,
    )  # fmt: skip
    error = 0.06 * expected.standard_error  # of quantiles of so many draws
    assert bca(sides, 40_000) == pytest.approx(tuple(expected.confidence_interval), abs=error)


def test_bca_draws_clusters_whole() -> None:
    clusters = np.repeat(np.arange(15), 8)
    figures = RNG.gamma(2, size=(2, 15))  # no answers: the quantiles of few of these jump
    first, second = (Arm("arm", each[clusters], np.ones(120)) for each in figures)
    sides = units((first, second), clusters)
    alone = bca(sides, 20_000)
    expected = bootstrap(
        (figures[1] - figures[0],), np.mean, method="BCa", n_resamples=20_000, rng=1
    )  # fmt: skip
    assert alone == pytest.approx(tuple(expected.confidence_interval), abs=0.07 * expected.standard_error)


def test_the_same_seed_gives_the_same_interval_and_another_seed_nearly_the_same() -> None:
    first, second = (Arm("arm", RNG.random((2, 200)) < 0.5, np.ones((2, 200))) for _ in range(2))
    found = [difference(first, second, seed=seed).bootstrap_interval for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert found[0] == pytest.approx(found[2], abs=0.01)


def test_where_nothing_varies_both_ends_are_the_figure() -> None:
    same = Arm("same", np.ones(20), np.ones(20))
    assert bca(units((same, same), None)) == (0, 0)
    several = Arm("same", np.ones((3, 20)), np.ones((3, 20)))
    sides = units((several, several), None)
    assert seeds_and_questions(sides, (True, True), spread(sides, (True, True))) == (0, 0)


@pytest.mark.parametrize("runs", [(2, 2), (3, 3), (1, 4)])
def test_seeds_and_questions_drawn_again_are_as_wide_as_t_over_both(runs: tuple[int, int]) -> None:
    easy = RNG.normal(size=300)
    arms = [
        Arm("arm", easy + RNG.normal(size=(each, 1)) * 0.2 + RNG.normal(size=(each, 300)) > 0, np.ones((each, 300)))
        for each in runs
    ]
    found = difference(*arms)
    low, high = found.bootstrap_interval
    assert high - low == pytest.approx(found.interval[1] - found.interval[0], rel=0.25)
