"""What a run shows: a bar where somebody watches, a table of outcomes at its end."""

import io
from pathlib import Path

from rich.console import Console

from memreason.label.display import LabelProgress, print_summary
from memreason.label.replies import REASONS
from memreason.label.solutions_and_rejects import RunFiles
from memreason.llm.meter import Meter


def shown(terminal: bool = False) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=150), file


def run_files(accepted: int, **rejected: int) -> RunFiles:
    out = RunFiles(Path("out.jsonl"), accepted)
    out.rejected.update(rejected)
    return out


def test_every_outcome_is_counted_with_its_meaning_and_the_files_are_named() -> None:
    console, file = shown()
    print_summary(console, run_files(7, bad_json=2, unknown_fact=1), Meter(requests=1234, tokens=5678, cost=0.125))
    text = file.getvalue()
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "7" in lines["accepted"] and "70.0%" in lines["accepted"]
    assert "20.0%" in lines["bad_json"] and REASONS["bad_json"] in lines["bad_json"]
    assert "1,234 requests" in text and "5,678 tokens" in text and "$0.1250" in text
    assert "out.jsonl" in text and "out.rejects.jsonl" in text


def test_a_run_without_rejects_names_no_rejects_file_and_one_without_anything_divides_by_nothing() -> None:
    console, file = shown()
    print_summary(console, run_files(0), Meter())
    assert "rejects" not in file.getvalue()
    assert "0.0%" in file.getvalue()


def test_the_bar_shows_rows_tokens_dollars_rejects_and_retries() -> None:
    console, file = shown(terminal=True)
    out = run_files(2, bad_json=1)
    with LabelProgress(console, out, Meter(tokens=4321, cost=0.5, retries=6), total=10) as progress:
        out.accepted += 2
        progress.update()
        progress.say("batch_1: done")
    text = file.getvalue()
    for part in ("5/10", "4,321 tokens", "$0.50", "1 rejected", "6 retries", "batch_1: done"):
        assert part in text


def test_nothing_moves_where_nobody_watches() -> None:
    console, file = shown()
    with LabelProgress(console, run_files(1), Meter(), total=2) as progress:
        progress.update()
    assert "labelling" not in file.getvalue()
