"""CSV for other programs: full numbers; names that no spreadsheet runs."""

import csv
import io
from dataclasses import replace

from helpers.comparisons import PLAIN, SEVERAL, SINGLE

from memreason.compare.show.csv import comparisons, rates


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_numbers_are_whole_and_what_is_not_there_is_empty() -> None:
    one, *_ = read(comparisons([SINGLE.to_json(), SEVERAL.to_json()]))
    pair = SINGLE.comparisons[0]
    assert (float(one["difference"]), float(one["low"]), float(one["p"])) == (pair.difference, pair.interval[0], pair.p)
    assert (one["only_first"], one["conditional_high"], one["split"], one["gate"]) == ("12", "0.075", "", "")
    assert one["verdict"] == "tied"


def test_groups_have_rows_of_their_own() -> None:
    rows = read(rates([SEVERAL.to_json()]))
    assert [(row["split"], row["group"], row["arm"]) for row in rows[2:4]] == [
        ("test_unseen", "", "sh_uf<f>led & co"), ("test_unseen", "family=area", "plain")]  # fmt: skip
    assert rows[0]["by_run"] == "0.6 0.61 0.62" and len(rows) == 9


def test_names_are_quoted_and_are_no_formulas() -> None:
    names = ["=1+1", "+x", "-y", "@z", " =1", "\tx", 'a,"b"', "line\nbreak", "plain"]
    result = replace(SINGLE, arms=tuple(replace(PLAIN, name=name, value=-0.5) for name in names)).to_json()
    rows = read(rates([result]))
    assert [row["arm"] for row in rows] == [
        "'=1+1",
        "'+x",
        "'-y",
        "'@z",
        "' =1",
        "'\tx",
        'a,"b"',
        "line\nbreak",
        "plain",
    ]
    assert {row["value"] for row in rows} == {"-0.5"}
