"""McNemar's exact test and the interval that belongs to it."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportions_ztest

from memreason.compare.statistics.arm import Arm
from memreason.compare.statistics.difference import difference
from memreason.compare.statistics.mcnemar import conditional_interval, exact_p

TABLES = [(0, 0), (0, 1), (3, 3), (1, 9), (12, 30), (200, 260)]


def runs(both: int, only_first: int, only_second: int, neither: int) -> tuple[Arm, Arm]:
    counts = (both, only_first, only_second, neither)
    first, second = np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)
    return Arm("first", first, np.ones(len(first))), Arm("second", second, np.ones(len(first)))


@pytest.mark.parametrize(("only_first", "only_second"), TABLES)
def test_the_p_value_is_that_of_statsmodels(only_first: int, only_second: int) -> None:
    expected = mcnemar([[50, only_first], [only_second, 50]], exact=True).pvalue if only_first + only_second else 1
    assert exact_p(only_first, only_second) == pytest.approx(expected)


@pytest.mark.parametrize(("only_first", "only_second"), TABLES)
def test_the_interval_leaves_out_no_difference_exactly_where_the_test_rejects(
    only_first: int, only_second: int
) -> None:
    low, high = conditional_interval(only_first, only_second, 600)
    assert low <= (only_second - only_first) / 600 <= high
    assert (not low <= 0 <= high) == (exact_p(only_first, only_second) < 0.05)


def test_the_interval_of_a_table_that_can_be_done_by_hand() -> None:
    # All 5 of 5 for the second: Clopper and Pearson's lower end solves share^5 = 0.025.
    low, high = conditional_interval(0, 5, 50)
    assert low == pytest.approx((2 * 0.025 ** (1 / 5) - 1) * 5 / 50)
    assert high == pytest.approx(5 / 50)


def test_pairs_find_what_two_accuracies_side_by_side_do_not() -> None:
    """220 questions, the same accuracies (55% and 64%): 0.008 by pairs, 0.080 if the pairs are thrown away."""
    first, second = runs(110, 12, 30, 68)
    found = difference(first, second)
    assert (found.p_method, round(found.p, 3), found.n) == ("mcnemar_exact", 0.008, 220)
    assert found.interval[0] > 0
    _, unpaired = proportions_ztest([second.value.sum(), first.value.sum()], [220, 220])
    assert round(unpaired, 3) == 0.080
