"""What is drawn: questions or clusters."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_rel

from memreason.compare.statistics.arm import Arm, NothingToCompare
from memreason.compare.statistics.difference import difference
from memreason.compare.statistics.units import degrees_of_freedom, units

RNG = np.random.default_rng(0)


def test_without_clusters_a_figure_of_every_question_gets_the_paired_t_test() -> None:
    first, second = RNG.gamma(2, 50, (2, 40))
    found = difference(Arm("first", first, np.ones(40)), Arm("second", second, np.ones(40)))
    expected = ttest_rel(second, first)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert (found.method, found.degrees) == ("t_questions", pytest.approx(39))


def test_equal_clusters_get_the_cluster_robust_error_of_statsmodels() -> None:
    clusters = np.repeat(np.arange(12), 5)
    one, other = RNG.random((2, 60)) < [[0.4], [0.6]]
    found = difference(Arm("first", one, np.ones(60)), Arm("second", other, np.ones(60)), clusters)
    fitted = sm.OLS(other.astype(float) - one, np.ones(60)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
    )
    assert (found.method, found.p, found.degrees) == ("t_clusters", pytest.approx(fitted.pvalues[0]), pytest.approx(11))
    assert found.interval == pytest.approx(tuple(fitted.conf_int()[0]))
    assert found.mcnemar_p != found.p  # of the questions, whatever their clusters


def test_degrees_of_freedom_are_those_of_the_matrix_of_covariances() -> None:
    share = RNG.dirichlet(np.ones(9))
    leave = np.diag(1 / np.sqrt(1 - share)) @ (np.eye(9) - np.outer(share, np.ones(9)))
    values = np.linalg.eigvalsh(leave @ np.diag(share) @ leave.T)
    assert degrees_of_freedom(share) == pytest.approx(values.sum() ** 2 / (values**2).sum())
    assert degrees_of_freedom(np.full(9, 1 / 9)) == pytest.approx(8)
    assert degrees_of_freedom(np.array([0.9, *[0.0125] * 8])) < 2  # nearly all weight in one cluster


def test_the_squares_of_the_deviations_estimate_the_variance_of_a_share_of_steps() -> None:
    weight = RNG.integers(0, 5, (4000, 50))
    value = RNG.binomial(weight, 0.7)
    arms = [Arm("steps", each, by) for each, by in zip(value, weight, strict=True)]
    estimates = [(units((arm,), None)[0].deviation ** 2).sum() for arm in arms[:500]]
    assert np.mean(estimates) == pytest.approx(np.var([arm.figure for arm in arms]), rel=0.06)


def test_neither_the_order_nor_the_names_of_clusters_matter_nor_questions_that_count_nowhere() -> None:
    weight = RNG.integers(1, 4, (2, 30))
    value, clusters, order = RNG.binomial(weight, 0.5), np.repeat(np.arange(6), 5), RNG.permutation(30)
    weight[:, 3] = value[:, 3] = 0
    keep = order[order != 3]
    found = [
        difference(Arm("a", value[:1, of], weight[:1, of]), Arm("b", value[1:, of], weight[1:, of]), names[of])
        for of, names in ((np.arange(30), clusters), (keep, 7 - clusters))
    ]
    assert found[0].n == 29 == found[1].n
    assert found[0].interval == pytest.approx(found[1].interval)
    assert found[0].p == pytest.approx(found[1].p)


def test_what_cannot_be_compared_is_said() -> None:
    ones = np.ones(4)
    with pytest.raises(ValueError, match="not the same questions: 3, 4"):
        units((Arm("first", ones, ones), Arm("second", ones[:3], ones[:3])), None)
    with pytest.raises(ValueError, match="not the same questions"):
        units((Arm("first", ones, ones),), np.arange(3))
    with pytest.raises(NothingToCompare, match="second: no question counts"):
        difference(Arm("first", ones, ones), Arm("second", np.zeros((2, 4)), np.array([ones, 0 * ones])))


@pytest.mark.parametrize(
    ("value", "weight", "message"),
    [
        ([1, np.nan], [1, 1], "no table of finite numbers"),
        ([1, 1, 1], [1, 1], "values but"),
        ([0, 1], [-1, 1], "negative"),
        ([1, 1], [0, 1], "weight 0 has a value"),
    ],
)
def test_an_arm_that_cannot_be_is_refused(value: list[float], weight: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Arm("arm", np.array(value), np.array(weight))
