"""The spread of seeds, shared among the arms of a study."""

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import f, t

from memreason.compare.statistics.arm import Arm
from memreason.compare.statistics.difference import difference
from memreason.compare.statistics.rate import rate
from memreason.compare.statistics.shared import SharedSpread, shared_spread

RNG = np.random.default_rng(0)
DRAWN: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "comparison.py"))
World, found, ours, moderated = (DRAWN[name] for name in ("World", "found", "ours", "moderated"))


def arm(*figures: float, seeded: bool = True) -> Arm:
    """Runs with these figures, in which all 50 questions say the same: seeds are all that varies."""
    return Arm("arm", np.tile(np.array(figures)[:, None], 50), np.ones((len(figures), 50)), seeded)


def drawn(runs: int, spread: float = 1.0) -> Arm:
    return arm(*RNG.normal(scale=spread, size=runs))


def test_a_worked_example() -> None:
    arms = [arm(0, 2), arm(0, 4), arm(0, 6), arm(1, 3)]  # variances 2, 8, 18, 2, with one degree of freedom each
    shared = shared_spread(arms)
    assert shared is not None
    deviations = np.sqrt([2, 8, 18, 2]) * np.sqrt(np.pi / 2)  # of two runs, the deviation is too small by √(2/π)
    assert vars(shared) == pytest.approx({"mean": 7.5, "typical": deviations.mean() ** 2, "total": 4, "degrees": 1})
    weight = f.sf(8 / (22 / 3), 1, 3)
    assert shared.moderated(8, 1) == pytest.approx(((8 + weight * shared.typical) / (1 + weight), 1 + weight))
    compared = difference(arms[0], arms[1], shared=shared)
    (one, free_one), (other, free_other) = shared.moderated(2, 1), shared.moderated(8, 1)
    free = (one + other) ** 2 / (one**2 / free_one + other**2 / free_other)
    error = np.sqrt((one + other) / 2 * (1 + 1 / free**2))
    assert (compared.method, compared.p_method) == ("t_moderated", "t_moderated")
    assert (compared.standard_error, compared.degrees) == (pytest.approx(error), pytest.approx(free))
    assert compared.interval == pytest.approx((1 - t.isf(0.025, free) * error, 1 + t.isf(0.025, free) * error))


def test_an_arm_like_the_others_takes_from_them_and_one_that_varies_far_more_does_not() -> None:
    shared = SharedSpread(mean=2.0, typical=1.0, total=20, degrees=2)
    alike, degrees = shared.moderated(0.5, 2)
    assert 0.5 < alike < 1 and 3 < degrees < 4
    assert shared.moderated(15, 2) == pytest.approx((15, 2), rel=0.01)


def test_few_arms_or_none_trained_or_single_runs_share_nothing() -> None:
    assert shared_spread([drawn(3), drawn(3), drawn(3), drawn(1), arm(0.5, seeded=False)]) is None
    assert shared_spread([drawn(3), drawn(2), drawn(5), drawn(2)]) is not None


def test_where_no_run_varies_there_is_no_spread_to_share() -> None:
    arms = [arm(place / 10, place / 10) for place in range(4)]
    shared = shared_spread(arms)
    assert shared == SharedSpread(0, 0, 4, 1) and shared.moderated(0, 1) == (0, 2)
    alone, together = difference(arms[0], arms[1]), difference(arms[0], arms[1], shared=shared)
    assert (together.method, together.p) == ("exact_bound", alone.p)
    only = shared_spread([*arms[:3], arm(0, 1)])  # one arm has all the spread
    assert only is not None and only.moderated(0.5, 1) == pytest.approx((0.5, 1))


def test_a_single_run_varies_as_the_arms_do_and_an_untrained_one_does_not() -> None:
    arms = [drawn(3) for _ in range(5)]
    shared = shared_spread(arms)
    assert shared is not None
    own, degrees = shared.moderated(arms[0].by_run.var(ddof=1), 2)
    base = difference(arm(0.5, seeded=False), arms[0], shared=shared)
    assert base.degrees == pytest.approx(degrees)
    single = difference(arm(0.5), arms[0], shared=shared)
    free = (own / 3 + shared.typical) ** 2 / ((own / 3) ** 2 / degrees + shared.typical**2 / 2)
    assert single.degrees == pytest.approx(free)
    assert single.standard_error == pytest.approx(np.sqrt((own / 3 + shared.typical) * (1 + 1 / free**2)))


def test_two_single_runs_are_compared_as_ever() -> None:
    right = RNG.random((2, 40)) < 0.5
    one, other = (Arm("arm", each, np.ones(40)) for each in right)
    shared = shared_spread([drawn(3) for _ in range(5)])
    assert difference(one, other, shared=shared) == difference(one, other)
    assert rate(one, shared=shared) == rate(one)


def test_an_arm_of_two_runs_has_a_shorter_interval_and_one_that_varies_far_more_keeps_its_own() -> None:
    def right(*counts: int) -> Arm:
        return Arm("arm", np.arange(100) < np.array(counts)[:, None], np.ones((len(counts), 100)))

    arms = [right(45, 55), right(48, 55), right(50, 54), right(44, 56), right(51, 53)]
    assert np.ptp(rate(arms[0], shared=shared_spread(arms)).interval) < 0.8 * np.ptp(rate(arms[0]).interval)
    restless = right(10, 90)
    shared = shared_spread([*arms, restless])
    assert rate(restless, shared=shared).interval == pytest.approx(rate(restless).interval, abs=0.02)


def test_among_many_arms_more_is_found_and_no_more_that_is_not_there() -> None:
    world = World(60, (2, 2), seeds=0.4, others=6)
    assert 0.01 < found(world, [moderated], 600)[0] < 0.06
    alone, together = found(replace(world, effect=1.8), [ours, moderated], 300)
    assert together > alone + 0.05


def test_an_arm_that_varies_thrice_as_much_hardly_gives_false_findings() -> None:
    world = World(60, (3, 3), seeds=0.15, others=6, restless=(1,), restless_seeds=0.45)
    assert found(world, [moderated], 600)[0] < 0.09
