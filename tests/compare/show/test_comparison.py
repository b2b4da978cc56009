"""The folder of a comparison: which files, which results together, what is said first."""

import json
from dataclasses import replace
from pathlib import Path

from helpers.comparisons import LENGTH, SEVERAL, SINGLE

from memreason.compare.show.comparison import as_markdown, by_measure, sentences, title, write

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


def test_of_many_comparisons_ties_are_only_named() -> None:
    pairs = tuple(replace(SEVERAL.comparisons[0], second=f"arm{number}", verdict="tied") for number in range(7))
    worse = replace(SEVERAL.comparisons[0], verdict="worse", sentence="it is worse")
    told = sentences({"seen": replace(SEVERAL, comparisons=(worse, *pairs)).to_json()})
    assert told[0] == "seen: it is worse" and len(told) == 2
    assert f"statistically tied with {pairs[0].first}: arm0, arm1, arm2, arm3, arm4, arm5, arm6." in told[1]
