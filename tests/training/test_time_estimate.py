"""How long a run will take: foretold from its parts, corrected by the time that they took."""

import pytest
import torch

from memreason.training.time_estimate import Outlook, matrix_rate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_says_what_the_parts_will_take() -> None:
    outlook = Outlook({"before": 20, "training": 300, "validation": 0, "tests": 61})
    assert str(outlook) == "this will take about 6 min here (before 20 s, training 5 min, tests 60 s)"


def test_of_short_runs_it_says_no_more_than_that() -> None:
    assert str(Outlook({"training": 3, "tests": 1})) == "this will take less than a minute or so here"


def test_what_the_parts_took_corrects_what_is_left() -> None:
    clock = Clock()
    outlook = Outlook({"before": 20, "training": 100, "tests": 30}, clock)
    assert outlook.left() == 150
    clock.now += 40
    outlook.reached("before")  # twice as long as foretold
    assert outlook.left() == 2 * 130
    clock.now += 60
    outlook.reached("training", 0.8)  # and now faster
    assert outlook.left() == pytest.approx(50.0)


def test_moments_say_nothing_about_the_rest() -> None:
    clock = Clock()
    outlook = Outlook({"training": 100}, clock)
    clock.now += 30
    outlook.reached("training", 0.01)
    assert outlook.left() == 99


def test_what_was_reached_stays_reached() -> None:
    outlook = Outlook({"training": 100})
    outlook.reached("training", 1.5)
    outlook.reached("training", 0.5)
    assert outlook.left() == 0


def test_the_rate_of_products_is_a_plausible_one() -> None:
    assert 1e8 < matrix_rate(torch.float32) < 1e14
