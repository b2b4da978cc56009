"""Which rows and columns the tables of a comparison have."""

from dataclasses import replace

from helpers.comparisons import LENGTH, SEVERAL, SINGLE

from memreason.compare.show.tables import arms, differences, groups, outcomes, rates

ONE, MANY = SINGLE.to_json(), SEVERAL.to_json()
ODD = "sh_uf<f>led & co"


def titles(table) -> list[str]:
    return [f"{column.group}: {column.title}".removeprefix(": ") for column in table.columns]


def test_the_figures_of_two_runs() -> None:
    table = rates({"": ONE}, "Accuracy")
    assert titles(table) == ["", "accuracy"]
    assert table.rows == (("plain", "68% [58, 76]"), ("typed", "66% [56, 74]"))
    assert table.notes == ("100 questions; 95% intervals in brackets.",)


def test_the_figures_of_several_runs_say_each_runs() -> None:
    table = rates({"seen": MANY, "unseen": MANY})
    assert titles(table) == ["", "seen: accuracy", "seen: each run", "unseen: accuracy", "unseen: each run"]
    assert table.rows[1][:3] == ("typed", "67.0% [63.0, 71.0]", "66.0, 67.0, 68.0")
    assert table.notes == ("600 questions in 18 clusters (country), 3 runs a side; 95% intervals in brackets.",)
    assert table.groups == [("", 1), ("seen", 2), ("unseen", 2)]


def test_a_spread_of_seeds_that_is_shared_is_said() -> None:
    shared = replace(SEVERAL, comparisons=tuple(replace(each, method="t_moderated") for each in SEVERAL.comparisons))
    for table in (rates({"": shared.to_json()}), arms({"": shared.to_json()})):
        assert "How much seeds matter is judged from all arms with several runs together." in table.notes
    assert "spread of seeds shared among arms" in differences({"": shared.to_json()}).notes[0]
    assert not any("seeds" in note for note in arms({"": MANY}).notes)


def test_a_difference_says_what_could_have_been_detected_and_tied_in_words() -> None:
    table = differences({"": ONE})
    assert titles(table) == ["", "difference (points)", "p", "detectable", "verdict"]
    assert table.rows == (("typed − plain", "−2 [−11, +7]", "0.83", "13", "tied"),)
    assert "McNemar's exact test" in table.notes[0] and "80%" in table.notes[0]


def test_a_tie_beside_an_interval_without_zero_is_explained() -> None:
    odd = replace(SINGLE, comparisons=(replace(SINGLE.comparisons[0], interval=(-0.1, -0.001)),)).to_json()
    assert "then the verdict goes by the p-value" in differences({"": odd}).notes[0]
    assert "verdict" not in differences({"": ONE}).notes[0]


def test_of_many_comparisons_the_adjusted_p_values_are_there() -> None:
    table = differences({"all": MANY, "seen": MANY})
    assert titles(table)[1:6] == ["of", "difference (points)", "p", "p (Holm)", "p (BH)"]
    assert table.rows[0] == (
        "typed − plain", "all", "+6.0 [+2.0, +10.0]", "0.004", "0.008", "0.004", "13.1", "better")  # fmt: skip
    assert [row[1] for row in table.rows] == ["all", "all", "seen", "seen"]


def test_the_four_outcomes_of_single_runs() -> None:
    table = outcomes({"": ONE})
    assert table is not None
    assert titles(table) == ["", "both right", "only plain", "only typed", "both wrong", "p"]
    assert table.rows == (("plain, typed", "56", "12", "10", "22", "0.83"),)
    assert outcomes({"": MANY}) is None
    without_answer = outcomes({"": {**ONE, "measure": "no_answer"}})
    assert without_answer and titles(without_answer) == ["", "both", "only plain", "only typed", "neither", "p"]


def test_groups_have_a_row_each_and_a_figure_for_each_side() -> None:
    table = groups(MANY)
    assert table is not None and groups(ONE) is None
    assert [row[:3] for row in table.rows] == [("area", "60", "61% [57, 65]"), ("border", "60", "61% [57, 65]")]
    assert table.columns[5].group == "typed − plain" and len(table.rows[0]) == len(table.columns) == 9


def test_a_study_has_a_row_an_arm_and_for_each_split_its_figure_difference_and_p() -> None:
    unseen = replace(SEVERAL, arms=SEVERAL.arms[:2], comparisons=SEVERAL.comparisons[:1]).to_json()
    table = arms({"seen": MANY, "unseen": unseen}, "Accuracy")
    assert titles(table)[1:5] == ["seen: accuracy", "seen: difference (points)", "seen: p", "seen: detectable"]
    assert table.rows[0] == ("plain", "61.0% [57.0, 65.0]", "", "", "", "61.0% [57.0, 65.0]", "", "", "")
    assert table.rows[2][:4] == (ODD, "55.0% [51.0, 59.0]", "−6.0 [−10.0, −2.0]", "0.006")
    assert "–" not in table.rows[2][4] and table.rows[2][5:] == ("–",) * 4
    assert table.notes[-1].startswith("Differences are to plain; p-values are adjusted by Holm's method. Detectable:")


def test_where_sides_have_other_numbers_of_runs_each_number_is_told() -> None:
    first, *others = SEVERAL.arms
    table = arms({"seen": replace(SEVERAL, arms=(replace(first, runs=1), *others)).to_json()})
    assert table.notes[0] == "600 questions in 18 clusters (country); 95% intervals in brackets."
    assert table.notes[1].startswith(f"1 run of plain; 3 runs of typed, {ODD}. The interval of a single run")


def test_lengths_are_plain_numbers() -> None:
    assert rates({"": LENGTH.to_json()}).rows[0] == ("plain", "2.10 [2.00, 2.20]")
    assert differences({"": LENGTH.to_json()}).rows[0][1:] == ("+0.50 [+0.40, +0.60]", "<0.001", "0.10", "higher")
