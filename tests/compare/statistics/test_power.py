"""What can be found, before a study and after it."""

import numpy as np
import pytest
from scipy.stats import binom, nct, t
from statsmodels.stats.power import TTestPower

from memreason.compare.statistics.arm import Arm
from memreason.compare.statistics.crossed import Spread
from memreason.compare.statistics.difference import difference
from memreason.compare.statistics.mcnemar import exact_p
from memreason.compare.statistics.power import (
    Detection,
    Plan,
    mcnemar_power,
    mean_degrees,
    smallest_by_mcnemar,
)  # fmt: skip


def t_test(standard_error: float, degrees: float = 1e9) -> Detection:
    return Detection(Spread(standard_error**2, degrees))


@pytest.mark.parametrize(("effect", "degrees"), [(0.0, 11), (1.5, 11), (2.8, 11), (3.0, 69), (2.8, 1e6)])
def test_the_power_of_a_t_test_is_the_noncentral_t_distribution(effect: float, degrees: float) -> None:
    bar = t.isf(0.025, degrees)
    expected = nct.sf(bar, degrees, effect) + nct.cdf(-bar, degrees, effect)
    assert t_test(1.0, degrees).power(effect) == pytest.approx(expected, abs=2e-4)


def test_the_smallest_difference_is_that_of_statsmodels() -> None:
    expected = TTestPower().solve_power(nobs=18, alpha=0.05, power=0.8)  # in standard deviations
    assert t_test(1 / np.sqrt(18), 17).smallest() == pytest.approx(expected, rel=2e-3)
    assert t_test(0.01).smallest() == pytest.approx(0.0280, abs=1e-4)  # 1.96 + 0.84 standard errors
    assert t_test(0.02, 30).power(t_test(0.02, 30).smallest()) == pytest.approx(0.8, abs=2e-3)


def test_the_power_of_mcnemars_test_is_that_of_all_tables() -> None:
    n, discordant, effect = 24, 0.6, 0.4
    wins = (1 + effect / discordant) / 2
    expected = sum(
        binom.pmf(found, n, discordant) * binom.pmf(second, found, wins) * (exact_p(found - second, second) < 0.05)
        for found in range(n + 1)
        for second in range(found + 1)
    )
    assert mcnemar_power(effect, discordant, n) == pytest.approx(expected)
    assert mcnemar_power(-effect, discordant, n) == pytest.approx(expected)
    least = smallest_by_mcnemar(discordant, n)
    assert least is not None and mcnemar_power(least, discordant, n) == pytest.approx(0.8, abs=0.01)


def test_where_few_questions_differ_all_of_them_would_have_to_be_the_seconds() -> None:
    assert smallest_by_mcnemar(0.0, 5) is None  # five of five have p = 0.06
    assert smallest_by_mcnemar(0.0, 600) == pytest.approx(8 / 600, rel=0.1)
    assert mcnemar_power(0.0, 0.0, 100) == 0
    with pytest.raises(ValueError, match="at least as large a share"):
        mcnemar_power(0.2, 0.1, 100)


def test_several_runs_and_steady_seeds_are_found_as_often_as_the_test_finds_them() -> None:
    parts = Spread(questions=1.0, degrees=299, seeds=0.8, both=0.4, seed_degrees=4, caution=1.06)
    rng, many = np.random.default_rng(0), 200_000
    from memreason.compare.statistics.crossed import combine

    factor = [rng.chisquare(each, many) / each for each in (299, 4)]
    variance, degrees = combine(parts, factor[0], 0.8 * factor[1], 0.4 * factor[0])
    seen = np.abs(3.3 + np.sqrt(1.4) * rng.normal(size=many)) > t.isf(0.025, degrees) * np.sqrt(variance)
    assert Detection(parts).power(3.3) == pytest.approx(seen.mean(), abs=0.004)


def test_a_plan_gives_what_data_like_it_give() -> None:
    rng = np.random.default_rng(1)
    first = rng.random(600) < 0.6
    second = np.where(rng.random(600) < 0.2, ~first, first)
    found = difference(Arm("first", first, np.ones(600)), Arm("second", second, np.ones(600)))
    assert Plan(600, discordant=(first != second).mean()).smallest() == found.smallest

    easy = rng.normal(size=20_000)  # so many that seeds' spread is known
    runs = [Arm("arm", easy + 0.5 * rng.normal(size=(40, 20_000)) > 0, np.ones((40, 20_000))) for _ in range(2)]
    flips = float((runs[0].value[0] != runs[1].value[0]).mean())
    found = difference(*runs, draws=10)
    assert Plan(20_000, (40, 40), flips).smallest() == pytest.approx(found.smallest, rel=0.05)


def test_more_questions_runs_and_clusters_show_less_and_spread_shows_more() -> None:
    plan = Plan(600, (3, 3), discordant=0.2, seed_spread=0.01, clusters=20, cluster_correlation=0.02)
    least = plan.smallest()
    assert least is not None and plan.power(least) == pytest.approx(0.8, abs=2e-3)
    for better in (
        Plan(1200, (3, 3), 0.2, None, 0.01, 20, 0.02), Plan(600, (5, 5), 0.2, None, 0.01, 20, 0.02),
        Plan(600, (3, 3), 0.2, None, 0.005, 20, 0.02), Plan(600, (3, 3), 0.2, None, 0.01, 60, 0.02),
        Plan(600, (3, 3), 0.1, None, 0.01, 20, 0.02), Plan(600, (3, 3), 0.2, None, 0.01, 20, 0.0),
    ):  # fmt: skip
        assert (better.smallest() or 1) < least
    assert Plan(100_000, (3, 3), 0.2, 0.0).smallest() < Plan(100_000, (3, 3), 0.2, 0.0, 0.02).smallest()  # type: ignore[operator]
    assert (mean_degrees(2, 2), mean_degrees(3, 3)) == pytest.approx((2**0.5, np.pi), abs=0.02)


@pytest.mark.parametrize(
    "wrong",
    [{"questions": 1}, {"runs": (0, 1)}, {"clusters": 1}, {"flips": 0.3}, {"discordant": 2}, {"seed_spread": -1}],
)
def test_a_plan_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError):
        Plan(**{"questions": 100, **wrong})
