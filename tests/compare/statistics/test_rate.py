"""The figure of one arm."""

import numpy as np
import pytest

from memreason.compare.statistics.arm import Arm, NothingToCompare
from memreason.compare.statistics.rate import rate
from memreason.evaluation.statistics import wilson

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("right", "n"), [(0, 7), (7, 7), (31, 60), (1, 500)])
def test_right_answers_of_one_run_have_wilsons_interval(right: int, n: int) -> None:
    found = rate(Arm("arm", np.arange(n) < right, np.ones(n)))
    assert (found.value, found.n, found.interval) == (right / n, n, wilson(right, n))


def test_answers_that_come_in_clusters_are_worth_fewer() -> None:
    right = np.repeat(RNG.random(20) < 0.5, 10)
    arm = Arm("arm", right, np.ones(200))
    low, high = rate(arm, np.repeat(np.arange(20), 10)).interval
    assert (high - low) / np.subtract(*reversed(wilson(int(right.sum()) // 10, 20))) == pytest.approx(1, abs=0.15)
    assert rate(arm, np.arange(200)).interval == pytest.approx(wilson(int(right.sum()), 200), abs=0.002)


def test_runs_that_differ_make_the_interval_wider_and_their_figures_are_given() -> None:
    alike = Arm("alike", np.tile(np.arange(100) < 60, (3, 1)), np.ones((3, 100)))
    apart = Arm("apart", np.arange(100) < np.array([[40], [60], [80]]), np.ones((3, 100)))
    assert rate(apart).by_run == (0.4, 0.6, 0.8)
    assert np.ptp(rate(apart).interval) > 2 * np.ptp(rate(alike).interval)


def test_all_right_or_no_share() -> None:
    ones = np.ones((2, 30))
    assert rate(Arm("all right", ones, ones)).interval == pytest.approx(wilson(30, 30))
    lengths = RNG.normal(100, 10, 50)
    low, high = rate(Arm("lengths", lengths, np.ones(50))).interval
    assert (low + high) / 2 == pytest.approx(lengths.mean())
    assert high - low == pytest.approx(2 * 2.0096 * lengths.std(ddof=1) / 50**0.5, rel=1e-4)
    assert rate(Arm("one", np.array([1]), np.array([2]))).interval == (0, 1)
    with pytest.raises(NothingToCompare):
        rate(Arm("one length", np.array([100.0]), np.array([1])))
