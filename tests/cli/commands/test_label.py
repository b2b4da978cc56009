"""What `memreason label` prints: the estimate before, the first prompt of a dry run, a table of outcomes after."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from memreason.cli.commands.label import print_estimate, print_first_prompt, print_summary
from memreason.label.estimate import Estimate, Row
from memreason.label.rejection_reasons import REASONS
from memreason.label.run import LabelResult
from memreason.label.solutions_and_rejects import RunFiles
from memreason.llm.meter import Meter


def printed(function: Callable[[Console, Any], None], what: Any) -> str:
    file = io.StringIO()
    function(Console(file=file, width=150), what)
    return file.getvalue()


def result(accepted: int, meter: Meter, **rejected: int) -> LabelResult:
    files = RunFiles(Path("out.jsonl"), accepted)
    files.rejected.update(rejected)
    return LabelResult(files, meter, Estimate(0, 0, ()))


def test_every_outcome_is_counted_with_its_meaning_and_the_files_are_named() -> None:
    text = printed(print_summary, result(7, Meter(requests=1234, tokens=5678, cost=0.125), bad_json=2, unknown_fact=1))
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "7" in lines["accepted"] and "70.0%" in lines["accepted"]
    assert "20.0%" in lines["bad_json"] and REASONS["bad_json"] in lines["bad_json"]
    assert "1,234 requests" in text and "5,678 tokens" in text and "$0.1250" in text
    assert "out.jsonl" in text and "out.rejects.jsonl" in text


def test_a_run_without_rejects_names_no_rejects_file_and_one_without_anything_divides_by_nothing() -> None:
    text = printed(print_summary, result(0, Meter()))
    assert "rejects" not in text
    assert "0.0%" in text


def test_an_estimate_says_what_it_is_based_on_and_whether_the_budget_will_do() -> None:
    def text(cost: float | None, measured: bool = False, max_cost: float | None = None) -> str:
        rows = (Row("planner", "mine", 3, 100, 50, cost, measured),)
        return printed(print_estimate, Estimate(3, 7, rows, max_cost))

    assert "7 questions are done already; 3 to go" in text(1.0)
    assert "not known" in text(None) and "replies as usual for such prompts" in text(None)
    assert "$1.00" in text(1.0) and "means of earlier replies" in text(1.0, measured=True)
    assert "will stop this run before its end" in text(1.0, max_cost=0.5)
    assert "will stop" not in text(1.0, max_cost=2.0)
    assert printed(print_estimate, Estimate(0, 0, ())) == ""


def test_a_dry_run_shows_what_would_be_sent() -> None:
    text = printed(print_first_prompt, ({"role": "user", "content": "Question: [Is] it?"},))
    assert text.splitlines() == ["user", "Question: [Is] it?", "nothing was sent"]
