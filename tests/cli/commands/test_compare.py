"""`memreason compare`: what it prints, what it writes, and its exit codes."""

import json
from pathlib import Path

import pytest
from helpers.compared import row, rows, traces

from memreason.cli.main import main

BETTER = "1" * 10 + "0" * 2 + "1" * 10 + "0" * 2


@pytest.fixture
def sides(tmp_path: Path) -> list[str]:
    paths = [traces(tmp_path / "old.jsonl", "1" * 12 + "0" * 12), traces(tmp_path / "new.jsonl", BETTER)]
    return [str(path) for path in paths]


def test_sentences_tables_and_notes(sides: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    traces(Path(sides[1]), [*rows(BETTER), row(99)])
    assert main(["compare", *sides, "--allow_missing"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "accuracy: new.jsonl is better than old.jsonl: new.jsonl 83.3% against old.jsonl 50.0%" in page
    assert "McNemar's exact test, p = 0.039" in page and "Outcomes" in page
    assert "note: left out: 1 question that not every run has" in page


def test_json_prints_everything_and_nothing_else(sides: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *sides, "--measure", "accuracy", "steps", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [result["measure"] for result in found["results"]] == ["accuracy", "steps"]
    assert found["results"][0]["comparisons"][0]["mcnemar_p"] == pytest.approx(0.0385742)


def test_a_folder_with_all_forms(sides: list[str], tmp_path: Path) -> None:
    assert main(["compare", *sides, "--output_dir", str(tmp_path / "out")]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"comparison.json", "comparison.md", "comparison.tex", "comparison.html", "forest-accuracy.svg"}
    written = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert written["results"][0]["comparisons"][0]["verdict"] == "better"


def test_all_unpaired_questions_stand_in_a_file(sides: list[str], tmp_path: Path) -> None:
    traces(Path(sides[1]), rows("1" * 14))
    assert main(["compare", *sides, "--output_dir", str(tmp_path / "out")]) == 2
    (lacking,) = json.loads((tmp_path / "out" / "unpaired.json").read_text())["missing"].values()
    assert lacking == [f"q{number}" for number in range(14, 24)]


class TestTheGate:
    """--fail_if_worse: 0 not worse, 1 worse, 2 cannot tell, 3 nothing was compared."""

    @pytest.mark.parametrize(
        ("old", "new", "code", "words"),
        [
            ("1" * 12 + "0" * 12, BETTER, 0, "not worse than"),
            ("1" * 24, "0" * 24, 1, "worse than"),
            ("1" * 24, "1" * 24, 2, "cannot be told"),
        ],
    )
    def test_the_exit_code(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, code: int, words: str
    ) -> None:
        paths = [str(traces(tmp_path / f"{name}.jsonl", text)) for name, text in (("old", old), ("new", new))]
        assert main(["compare", *paths, "--fail_if_worse", "0.02"]) == code
        said = capsys.readouterr()
        assert f"(exit code {code})" in said.err and words in said.err and said.out
        assert main(["compare", *paths, "--fail_if_worse", "0.02", "--json"]) == code
        assert json.loads(capsys.readouterr().out)["gate"] == {0: "not_worse", 1: "worse", 2: "cannot_tell"}[code]

    @pytest.mark.parametrize(
        "mistake",
        [["nothing.jsonl"], ["--measur", "steps"], ["--fail_if_worse", "much"], ["--output_dir", __file__]],
    )
    def test_a_mistake_is_no_verdict(
        self, sides: list[str], mistake: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["compare", *sides, "--fail_if_worse", "0.02", *mistake]) == 3
        said = capsys.readouterr()
        assert not said.out and said.err.startswith("memreason compare: ")
        assert main(["compare", *sides, "nothing.jsonl"]) == 2, "as elsewhere, where there is no gate"


def test_help_lists_the_measures_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    page = capsys.readouterr().out
    assert "memory_true " in page and "error:CAUSE" in page and "Exit code 2, cannot" in page


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--measure", "memory_tru"], "did you mean memory_true?"),
        (["--against", "a", "--all_pairs"], "give one of them"),
        (["--data_path", "data"], "say which dataset it is"),
        (["--fields", "nothing.jsonl"], "no such file"),
        (["--fail_if_worse", "-1"], "must be at least 0"),
        (["--fail_if_worse", "2"], "must be below 1 (0.02 is 2 percentage points)"),
        (["--cluster", "topic"], "the field 'topic' is not known"),
    ],
)
def test_mistakes_are_explained(
    sides: list[str], flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *sides, *flags]) in (2, 3)
    assert message in " ".join(capsys.readouterr().err.split())
