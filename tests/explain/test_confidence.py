"""Whether memories that are more probable are more often true."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from memreason.explain.confidence import Memory, _weighted_auroc, confidence


def memories(n: int, informative: bool, seed: int = 0) -> list[Memory]:
    rng = np.random.default_rng(seed)
    true = rng.random(n) < 0.6
    logprob = -rng.exponential(0.5, n) - (0.8 * ~true if informative else 0)
    return [Memory(i // 2, float(logprob[i]), bool(true[i])) for i in range(n)]


def test_the_auroc_is_that_of_sklearn_and_lies_in_its_interval() -> None:
    some = memories(200, informative=True)
    found = confidence(some)
    assert found and found["n"] == 200
    assert found["auroc"] == pytest.approx(roc_auc_score([m.true for m in some], [m.logprob for m in some]))
    low, high = found["auroc_interval"]
    assert 0.5 < low < found["auroc"] < high < 1
    assert found == confidence(some), "the same seed gives the same interval"


def test_the_interval_is_that_of_sklearns_auroc_over_the_same_draws() -> None:
    rng = np.random.default_rng(1)
    rank, true, weight = rng.integers(0, 9, 60), rng.random(60) < 0.5, rng.integers(0, 4, 60)
    assert _weighted_auroc(rank, true, weight) == pytest.approx(roc_auc_score(true, rank, sample_weight=weight))


def test_chance_is_within_the_interval_where_probability_says_nothing() -> None:
    found = confidence(memories(200, informative=False))
    assert found and found["auroc_interval"][0] < 0.5 < found["auroc_interval"][1]


def test_bins_hold_every_memory_once_and_give_the_calibration_error() -> None:
    some = memories(73, informative=True)
    found = confidence(some)
    assert found
    bins = found["bins"]
    assert sum(each["n"] for each in bins) == 73 and len(bins) == 7
    assert all(one["high"] <= other["low"] for one, other in pairwise(bins))
    assert all(each["low"] <= each["confidence"] <= each["high"] for each in bins)
    assert sum(each["n"] * each["true"] for each in bins) == pytest.approx(found["true"])
    assert found["ece"] == pytest.approx(sum(each["n"] * abs(each["confidence"] - each["true"]) for each in bins) / 73)


def test_a_model_that_is_as_often_right_as_it_thinks_has_no_error() -> None:
    some = [Memory(i, float(np.log(0.5)), i % 2 == 0) for i in range(20)]
    found = confidence(some)
    assert found and found["ece"] == pytest.approx(0) and found["auroc"] == 0.5


@pytest.mark.parametrize("true", [True, False])
def test_where_all_are_true_or_none_there_is_no_auroc(true: bool) -> None:
    found = confidence([Memory(0, -0.1, true), Memory(1, -0.2, true)])
    assert found and found["auroc"] is None and found["auroc_interval"] is None
    assert (found["mean_false"] is None) == true and (found["mean_true"] is None) != true


def test_without_memories_there_is_nothing() -> None:
    assert confidence([]) is None
