"""What a comparison says."""

from dataclasses import replace

import numpy as np
import pytest

from memreason.compare.statistics.arm import Arm, NothingToCompare, Outcomes
from memreason.compare.statistics.difference import difference
from memreason.evaluation.statistics import paired_difference

RNG = np.random.default_rng(0)
ONE, OTHER = RNG.random((2, 150)) < 0.5


def arm(value: np.ndarray, weight: np.ndarray | float = 1.0) -> Arm:
    return Arm("arm", value, np.broadcast_to(weight, np.shape(value)))


def test_two_runs_of_right_and_wrong_answers() -> None:
    found = difference(arm(ONE), arm(OTHER))
    value, interval = paired_difference(zip(ONE, OTHER, strict=True))
    assert (found.difference, found.interval, found.method) == (pytest.approx(value), interval, "newcombe")
    assert found.outcomes == Outcomes(
        (ONE & OTHER).sum(), (ONE & ~OTHER).sum(), (~ONE & OTHER).sum(), (~ONE & ~OTHER).sum()
    )
    assert (found.p, found.n) == (found.mcnemar_p, 150)
    assert found.bootstrap_interval == pytest.approx(found.interval, abs=0.02)


CLUSTERS = np.arange(150) % 20
SEVERAL = RNG.random((2, 3, 150)) < 0.5
STEPS = RNG.integers(0, 4, (2, 150))


@pytest.mark.parametrize(
    ("first", "second", "clusters", "method"),
    [
        (arm(ONE), arm(OTHER), CLUSTERS, "t_clusters"),
        (arm(RNG.binomial(STEPS[0], 0.5), STEPS[0]), arm(RNG.binomial(STEPS[1], 0.5), STEPS[1]), None, "t_questions"),
        (arm(SEVERAL[0]), arm(SEVERAL[1]), CLUSTERS, "t_crossed"),
        (arm(SEVERAL[0]), arm(ONE), None, "t_crossed"),
    ],
    ids=["clusters", "steps", "runs", "one run against several"],
)
def test_p_and_interval_agree_and_the_other_way_round_everything_changes_its_sign(
    first: Arm, second: Arm, clusters: np.ndarray | None, method: str
) -> None:
    found, back = difference(first, second, clusters), difference(second, first, clusters)
    assert found.method == found.p_method == method
    assert (back.difference, back.p) == (pytest.approx(-found.difference), pytest.approx(found.p))
    assert back.interval == pytest.approx(tuple(-end for end in reversed(found.interval)))
    assert found.smallest == pytest.approx(back.smallest)
    # A shift of the second arm to where the interval ends has p = 0.05.
    moved = replace(second, value=second.value - found.interval[0] * second.weight)
    assert difference(first, moved, clusters).p == pytest.approx(0.05)


def test_no_different_outcomes() -> None:
    found = difference(arm(ONE), arm(ONE))
    assert (found.difference, found.p, found.conditional_interval) == (0, 1, (0, 0))
    assert found.interval[0] < 0 < found.interval[1] < 0.03
    assert found.smallest == pytest.approx(8 / 150, rel=0.1)  # six in one direction are needed: p = 2 / 2⁶
    found = difference(arm(ONE), arm(ONE), CLUSTERS)
    assert (found.p, found.method) == (1, "exact_bound")
    assert found.interval == pytest.approx((-(1 - 0.025 ** (1 / 20)), 1 - 0.025 ** (1 / 20)))


def test_all_different_in_the_same_direction() -> None:
    found = difference(arm(np.zeros(40)), arm(np.ones(40)), np.arange(40) // 4)
    assert (found.difference, found.p) == (1, 2 / 2**10)
    assert found.interval == (pytest.approx(2 * 0.025**0.1 - 1), 1)  # a cluster not seen may have all the other way
    for clusters in (5, 6):
        found = difference(arm(np.zeros(12)), arm(np.ones(12)), np.arange(12) % clusters)
        assert (found.p < 0.05) == (found.interval[0] > 0)


def test_one_question_or_cluster_says_next_to_nothing() -> None:
    assert difference(arm(np.array([0])), arm(np.array([1]))).p == 1
    for found in (
        difference(arm(ONE), arm(OTHER), np.zeros(150)),
        difference(arm(np.array([1]), 3), arm(np.array([2]), 3)),
        difference(arm(SEVERAL[0][:, :1]), arm(SEVERAL[1][:, :1])),
    ):
        assert (found.interval, found.p, found.smallest, found.method) == ((-1, 1), 1, None, "one_unit")
    with pytest.raises(NothingToCompare, match="one question"):
        difference(arm(np.array([310.0])), arm(np.array([280.0])))


def test_a_share_has_no_interval_beyond_what_a_difference_of_shares_can_be() -> None:
    first, second = np.zeros((2, 6)), np.ones((2, 6))
    first[0, 0] = 1
    found = difference(arm(first), arm(second))
    assert found.interval[1] == found.bootstrap_interval[1] == 1
