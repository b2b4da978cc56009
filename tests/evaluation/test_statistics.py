"""Intervals of rates, and of differences between rates of the same things."""

import pytest
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from memreason.evaluation.statistics import bootstrap_mean, cohens_kappa, paired_difference, wilson


def pairs(both: int, first: int, second: int, neither: int) -> list[tuple[bool, bool]]:
    return (
        [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "interval"),
    [  # Newcombe 1998, paired data, table III, method 10; there the first rate less the second
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((1, 1, 97, 1), None),
        ((54, 0, 0, 0), (-0.0664, 0.0664)),
    ],
)
def test_a_paired_difference_is_that_of_the_literature(
    counts: tuple[int, int, int, int], interval: tuple[float, float] | None
) -> None:
    difference, (low, high) = paired_difference(pairs(*counts))
    assert difference == pytest.approx((counts[2] - counts[1]) / sum(counts))
    assert -1 <= low <= difference <= high <= 1
    if interval:
        assert (-high, -low) == pytest.approx(interval, abs=6e-4)


def test_the_same_answers_twice_differ_less_than_other_answers_with_the_same_rates() -> None:
    width = {}
    for name, counts in {"same": (50, 0, 0, 50), "others": (0, 50, 50, 0)}.items():
        difference, (low, high) = paired_difference(pairs(*counts))
        assert difference == 0
        width[name] = high - low
    assert width["same"] < width["others"] / 3


def test_without_pairs_there_is_no_difference() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        paired_difference([])


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (7, 7), (31, 60), (1, 500)])
def test_the_interval_of_a_rate_is_that_of_scipy(successes: int, n: int) -> None:
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-15)


def test_kappa_is_that_of_sklearn_and_not_known_where_chance_alone_agrees() -> None:
    rated = [("a", "a"), ("a", "b"), ("b", "b"), ("b", "b"), ("c", "a"), ("c", "c")]
    assert cohens_kappa(rated) == pytest.approx(cohen_kappa_score(*zip(*rated, strict=True)))
    assert cohens_kappa([("a", "a")] * 3) is None and cohens_kappa([]) is None


def test_the_interval_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    values = [0.0, 1.0] * 50
    mean, (low, high) = bootstrap_mean(values)
    assert mean == 0.5 and (mean - low, high - mean) == pytest.approx((0.098, 0.098), abs=0.012)
    assert bootstrap_mean([2.0]) == (2.0, (2.0, 2.0))
    with pytest.raises(ValueError, match="no values"):
        bootstrap_mean([])
