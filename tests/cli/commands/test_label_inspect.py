"""What `memreason label inspect` prints, for people and for scripts."""

import json
from pathlib import Path

import pytest

from memreason.cli.main import main
from memreason.label.inspect import READINGS


@pytest.fixture
def file(tmp_path: Path) -> str:
    steps = [{"type": "memory", "text": "A fact."}, {"type": "reason", "text": "This settles it in favour of True."}]
    rows = [{"id": f"q{n}", "question": f"Is it {n}?", "answer": "yes", "steps": steps} for n in range(5)]
    path = tmp_path / "labelled.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], "id": "q5", "steps": []}]))
    return str(path)


def test_a_sample_the_figures_and_what_was_left_out(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", "inspect", file, "--show", "2"]) == 0
    page = capsys.readouterr().out
    assert page.count("This settles it") == 2
    assert "memory steps" in page and "solutions that recall nothing" in page
    assert "1 rows without usable steps" in page


def test_what_a_reader_makes_of_the_steps(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    cache = ["--request_cache", str(tmp_path / "requests.sqlite")]
    assert main(["label", "inspect", file, "--reader", "scripted", *cache]) == 0
    page = capsys.readouterr().out
    assert "answers of scripted" in page and all(meaning in page for meaning in READINGS.values())


def test_json_is_one_object(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", "inspect", file, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["solutions"] == 5
