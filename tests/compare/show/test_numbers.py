"""Figures have the digits that n allows, differences a sign."""

from dataclasses import replace

import pytest
from helpers.comparisons import LENGTH, SEVERAL, SINGLE

from memreason.compare.show.numbers import Form, form_of

SHARE, LONG = Form(True, 1), Form(False, 2)


@pytest.mark.parametrize(
    ("form", "value", "figure", "change"),
    [(SHARE, 0.6849, "68.5", "+68.5"), (SHARE, -0.0204, "−2.0", "−2.0"), (SHARE, -0.0001, "0.0", "0.0"),
     (Form(True, 0), 1.0, "100", "+100"), (LONG, 1234.5, "1,234.50", "+1,234.50"), (LONG, None, "–", "–")],
)  # fmt: skip
def test_figures_and_changes(form: Form, value: float | None, figure: str, change: str) -> None:
    assert (form.figure(value), form.change(value)) == (figure, change)


def test_shares_have_a_decimal_where_an_answer_is_worth_half_a_point_or_less() -> None:
    assert form_of(SINGLE.to_json()) == Form(True, 0)
    assert form_of(replace(SINGLE, n=200).to_json()) == form_of(SEVERAL.to_json()) == Form(True, 1)


def test_other_figures_have_the_leading_digits_of_their_uncertainty() -> None:
    assert form_of(LENGTH.to_json()) == Form(False, 2)  # ± 0.1
    wide = replace(LENGTH.arms[0], value=140.0, interval=(110.0, 170.0))
    assert form_of(replace(LENGTH, arms=(wide,)).to_json()) == Form(False, 0)
    flat = replace(wide, interval=(140.0, 140.0))
    assert form_of(replace(LENGTH, arms=(flat,)).to_json()) == Form(False, 1)


def test_rates_and_differences_have_their_intervals_in_brackets() -> None:
    result = SINGLE.to_json()
    form = form_of(result)
    assert form.rate(result["arms"][0]) == "68% [58, 76]"
    assert form.difference(result["comparisons"][0]) == "−2 [−11, +7]"


def test_a_share_cannot_differ_by_more_than_all() -> None:
    assert (SHARE.detectable(0.1234), SHARE.detectable(1.27), LONG.detectable(1.27)) == ("12.3", ">100", "1.27")
