"""`memreason explain`: which steps of a run's traces went wrong, why, and what if they were right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.runtime.terminal import show, show_json

EXAMPLES = """examples:
  memreason explain runs/demo                    # writes runs/demo/explanation/report.html
  memreason explain runs/demo --no_model         # only what the run recorded: no model is loaded
  memreason explain runs/demo --num_test 20      # a quick look
  memreason explain runs/demo --json             # for scripts
"""


def run(argv: Sequence[str]) -> None:
    """Explain, and print the accuracy, the causes of errors, and three sentences, or everything with `--json`."""
    from memreason.explain.config import ExplainConfig
    from memreason.explain.judges.config import JudgeConfig

    config, judge = COMMAND.parse((ExplainConfig, JudgeConfig), argv)
    quiet_transformers()
    from memreason.evaluation.files import REPORT
    from memreason.explain.run import explain

    explanation, folder = explain(config, judge)
    if config.json:
        show_json(explanation)
        return
    console = open_console()
    print_explanation(console, explanation)
    show(console, f"the report: {folder / REPORT}", soft_wrap=True)


def print_explanation(console: Console, explanation: Mapping[str, Any]) -> None:
    """Print the summary of an explanation."""
    from memreason.cli.display import print_agreement
    from memreason.evaluation.judged_by import Agreement

    show(console, _accuracy(explanation))
    if explanation["errors"]:
        show(console, _causes(explanation))
    for judge in explanation["judges"]:
        if judge["name"] != "atlas":
            agreement = judge["agreement"]
            print_agreement(console, judge["name"], Agreement.from_json(agreement) if agreement else None)
    for sentence in explanation["sentences"]:
        show(console, sentence)
    for note in explanation["notes"]:
        show(console, f"note: {note}", style="yellow")


def _accuracy(explanation: Mapping[str, Any]) -> Table:
    accuracy = explanation["accuracy"]
    table = _table("accuracy, with 95% intervals", "split", "before", "after", "difference")
    for split, after in accuracy["after"].items():
        before, difference = ((accuracy[name] or {}).get(split) for name in ("before", "difference"))
        table.add_row(
            Text(split),
            _rate(before["accuracy"], before["interval"]) if before else "not asked",
            Text(_rate(after["accuracy"], after["interval"]), style="bold"),
            _rate(difference["value"], difference["interval"], "+") if difference else "",
        )
    return table


def _rate(value: float, interval: Sequence[float], sign: str = "") -> str:
    low, high = (format(100 * bound, f"{sign}z.0f") for bound in interval)
    return f"{format(100 * value, f'{sign}z.1f')} [{low}, {high}]"


def _causes(explanation: Mapping[str, Any]) -> Table:
    """The table of the causes of errors: a row for each cause, a column for each split."""
    errors = explanation["errors"]
    table = _table("wrong answers by cause", "cause", *errors)
    totals: Counter[str] = Counter()
    for found in errors.values():
        totals.update(found)
    for cause, _ in totals.most_common():
        table.add_row(Text(cause.replace("_", " ")), *(str(found.get(cause, 0)) for found in errors.values()))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


COMMAND = Command(
    "explain",
    "show which steps of a run's answers went wrong, why, and what if they were right",
    EXAMPLES,
    run,
    ("[RUN]", "run"),
    after_interrupt="; the same command goes on with the part that was under way",
)
