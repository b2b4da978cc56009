"""Figures in words; p-values show on which side of 0.05 they are."""

import pytest

from memreason.compare.words import amount, gap, p_of, p_value


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0004, "<0.001"), (0.001, "0.001"), (0.00832, "0.008"), (0.0123, "0.012"), (0.04996, "0.04996"),
     (0.0502, "0.0502"), (0.05, "0.050"), (0.0561, "0.056"), (0.334, "0.33"), (0.9949, ">0.99"), (1.0, "1"),
     (None, "–"), (0.049999999, "0.050000")],
)  # fmt: skip
def test_p_values(p: float | None, text: str) -> None:
    assert p_value(p) == text


def test_p_in_a_sentence() -> None:
    assert [p_of(p) for p in (0.0004, 0.021, 0.995)] == ["p < 0.001", "p = 0.021", "p > 0.99"]


def test_shares_are_percent_their_differences_points_and_numbers_are_numbers() -> None:
    assert (amount(0.575, "share"), gap(-0.0201, "share"), gap(-0.0001, "share")) == (
        "57.5%",
        "-2.0 points",
        "+0.0 points",
    )
    assert (amount(92.28, "number"), amount(2.33, "number"), gap(0.5, "number")) == ("92.3", "2.330", "+0.500")
