"""Figures in words."""

import pytest

from memreason.compare.words import amount, gap, p_text


@pytest.mark.parametrize(
    ("p", "text"), [(0.00001, "p < 0.0001"), (0.0385, "p = 0.038"), (0.5, "p = 0.5"), (0.999, "p = 1")]
)
def test_p_values(p: float, text: str) -> None:
    assert p_text(p) == text


def test_shares_are_percent_their_differences_points_and_numbers_are_numbers() -> None:
    assert (amount(0.575, "share"), gap(-0.0201, "share"), gap(-0.0001, "share")) == (
        "57.5%",
        "-2.0 points",
        "+0.0 points",
    )
    assert (amount(92.28, "number"), amount(2.33, "number"), gap(0.5, "number")) == ("92.3", "2.330", "+0.500")
