"""The folder of a comparison, and its page as a reader's browser shows it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.browser import PHONE, browser, opened  # noqa: F401
from helpers.comparisons import LENGTH, SEVERAL, SINGLE
from helpers.explanations import HOSTILE

from memreason.compare.show.comparison import as_markdown, by_measure, title, write

RESULTS = [SINGLE.to_json(), replace(SINGLE, split="test").to_json(), LENGTH.to_json(),
           replace(SEVERAL, measure="error:false_memory", label="false memories").to_json()]  # fmt: skip


def test_a_folder_has_all_forms_and_the_same_comparison_gives_the_same_files(tmp_path: Path) -> None:
    files = write(RESULTS, tmp_path / "new" / "folder")
    assert sorted(path.name for path in files) == [
        "comparison.html", "comparison.json", "comparison.md", "comparison.tex", "comparisons.csv",
        "forest-accuracy.svg",
        "forest-error-false_memory-test_unseen-by-family.svg",
        "forest-error-false_memory.svg", "forest-steps.svg", "rates.csv",
    ]  # fmt: skip
    assert json.loads(files[0].read_text())["results"] == RESULTS
    again = write(RESULTS, tmp_path / "again")
    assert [one.read_bytes() for one in files] == [other.read_bytes() for other in again]


def test_results_belong_together_by_their_measure() -> None:
    assert {name: list(splits) for name, splits in by_measure(RESULTS).items()} == {
        "accuracy": ["all questions", "test"], "steps": ["all questions"], "error:false_memory": ["test_unseen"],
    }  # fmt: skip
    assert (title(RESULTS[:2]), title(RESULTS)) == ("typed against plain", "3 sides compared")


def test_the_sentence_stands_first_and_warnings_before_the_figures() -> None:
    said = as_markdown(RESULTS)
    assert said.startswith("# 3 sides compared\n\n## Accuracy\n\ntyped 66.0%, plain 68.0%: statistically tied.\n\n###")
    assert said.index("2 groups were looked at.") < said.index("### False memories")


@pytest.mark.parametrize("options", [{"viewport": PHONE, "color_scheme": "dark"}, {}])
def test_the_page_opens_from_disk_and_names_do_nothing(browser, tmp_path: Path, options: dict) -> None:  # noqa: F811
    odd = replace(
        SEVERAL, label=HOSTILE, split=HOSTILE, warnings=(HOSTILE,),
        arms=tuple(replace(arm, name=arm.name + HOSTILE) for arm in SEVERAL.arms),
        comparisons=tuple(replace(pair, second=HOSTILE, sentence=HOSTILE) for pair in SEVERAL.comparisons),
    ).to_json()  # fmt: skip
    write([*RESULTS, odd | {"measure": "odd"}], tmp_path)
    with opened(browser, **options) as page:
        page.goto((tmp_path / "comparison.html").as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0 and not page.locator("img, script").count()
        assert page.evaluate("window.hacked") is None
        shown = page.locator("figure.narrow" if options else "figure.wide")
        hidden = page.locator("figure.wide" if options else "figure.narrow")
        assert shown.first.is_visible() and not hidden.first.is_visible()
        assert page.get_by_role("heading", name="Accuracy").is_visible()
        assert page.get_by_role("table", name="Outcomes: accuracy").get_by_role("cell", name="56").count() == 2
        colours = "[document.body, document.querySelector('.paper')].map(getComputedStyle)"
        assert page.evaluate(f"(([page, picture]) => page.backgroundColor === picture.fill)({colours})")
