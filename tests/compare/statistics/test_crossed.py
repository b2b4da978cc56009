"""Several runs: the parts of the variance."""

import numpy as np
import pytest

from memreason.compare.statistics.arm import Arm
from memreason.compare.statistics.crossed import Spread, combined, spread
from memreason.compare.statistics.difference import difference
from memreason.compare.statistics.units import units

RNG = np.random.default_rng(0)


def arm(runs: int, questions: int = 200, seeds: float = 0.0, alone: float = 1.0, trained: bool = True) -> Arm:
    """Numbers, not answers: their parts of the variance are known. ``alone``: what a seed adds at single questions."""
    value = seeds * RNG.normal(size=(runs, 1)) + alone * RNG.normal(size=(runs, questions))
    return Arm("arm", value, np.ones((runs, questions)), trained)


def parts_of(first: Arm, second: Arm) -> Spread:
    return spread(units((first, second), None), (first.seeded, second.seeded))


def test_each_part_is_what_it_estimates_on_average() -> None:
    found = [parts_of(arm(3, seeds=0.1), arm(3, seeds=0.1)) for _ in range(1500)]
    drawn = 1 / 3 + 1 / 3
    assert np.mean([each.both for each in found]) == pytest.approx(drawn / 200, rel=0.02)
    assert np.mean([each.questions for each in found]) == pytest.approx(drawn / 200, rel=0.02)
    assert np.mean([each.seeds for each in found]) == pytest.approx(drawn * (0.1**2 + 1 / 200), rel=0.1)
    assert {2 <= each.seed_degrees <= 4 for each in found} == {True}


def test_a_single_run_varies_as_the_other_arms_do_unless_no_seed_made_it() -> None:
    several = arm(4, seeds=1)
    trained, base = (parts_of(arm(1, trained=seeded), several) for seeded in (True, False))
    assert trained.seeds == pytest.approx(several.by_run.var(ddof=1) * (1 + 1 / 4))
    assert base.seeds == pytest.approx(several.by_run.var(ddof=1) / 4)
    assert trained.seed_degrees == base.seed_degrees == 3


def test_two_runs_that_happen_to_agree_are_not_taken_at_their_word() -> None:
    two, five = arm(2, seeds=1), arm(5, seeds=1)
    agreeing = Arm("two", np.tile(two.value[0], (2, 1)), two.weight)
    parts = parts_of(agreeing, five)
    assert parts.seeds == pytest.approx(five.by_run.var(ddof=1) * 4 / 5 * (1 / 2 + 1 / 5))


def test_single_runs_have_no_seeds() -> None:
    parts = parts_of(arm(1), arm(1))
    assert (parts.seeds, parts.seed_degrees) == (0, 0)
    assert combined(parts) == (parts.questions, parts.degrees)


def test_seeds_that_seem_to_add_less_than_nothing_do_not_shorten_the_interval() -> None:
    parts = Spread(questions=1.0, degrees=99, seeds=0.0, both=0.9, seed_degrees=4)
    variance, degrees = combined(parts)
    assert variance == 1 and 4 < degrees < 99
    alike = np.ones((3, 1)) * (RNG.random(50) < 0.5)  # seeds that change nothing at all
    first, second = Arm("first", alike, np.ones((3, 50))), Arm("second", alike[:, ::-1], np.ones((3, 50)))
    assert difference(first, second).standard_error == pytest.approx(
        difference(Arm("first", alike[0], np.ones(50)), Arm("second", alike[0, ::-1], np.ones(50))).standard_error
    )


def test_where_seeds_are_all_that_varies_it_is_welchs_test_made_wider_for_few_runs() -> None:
    steady = np.ones((1, 100))
    first, second = (Arm("arm", figures[:, None] * steady, np.ones((4, 100))) for figures in RNG.normal(size=(2, 4)))
    from scipy.stats import ttest_ind

    expected = ttest_ind(second.by_run, first.by_run, equal_var=False)
    found = difference(first, second)
    assert found.degrees == pytest.approx(expected.df)
    factor = 1 + 1 / expected.df**2
    reach = (expected.confidence_interval().high - expected.confidence_interval().low) / 2
    assert (found.interval[1] - found.interval[0]) / 2 == pytest.approx(reach * np.sqrt(factor))
