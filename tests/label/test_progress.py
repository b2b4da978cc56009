"""What a run shows while it works: a bar where somebody watches."""

import io
from pathlib import Path

from rich.console import Console

from memreason.label.progress import LabelProgress
from memreason.label.solutions_and_rejects import RunFiles
from memreason.llm.meter import Meter


def shown(terminal: bool = False) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=150), file


def run_files(accepted: int, **rejected: int) -> RunFiles:
    out = RunFiles(Path("out.jsonl"), accepted)
    out.rejected.update(rejected)
    return out


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
