"""`memreason label inspect`: how good labelled solutions are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from memreason.cli.command import Command, open_console
from memreason.cli.display import print_solution
from memreason.runtime.terminal import show, show_json

if TYPE_CHECKING:
    from memreason.label.inspect import Inspection

EXAMPLES = """examples:
  memreason label inspect strategyqa.jsonl
  memreason label inspect strategyqa.jsonl --reader gpt-4o-mini     # do the steps lead to the answer?
"""


def run(argv: Sequence[str]) -> None:
    """Print figures, a sample, and how well a reader answers from the steps."""
    from memreason.label.config import InspectConfig

    (config,) = COMMAND.parse((InspectConfig,), argv)
    from memreason.label.inspect import inspect

    inspection = inspect(config)
    if config.json:
        show_json(inspection.to_json())
    else:
        print_inspection(open_console(), inspection)


def print_inspection(console: Console, inspection: Inspection) -> None:
    """Print the sample, the figures, the reader's accuracies, and the rows that could not be used."""
    for solution in inspection.sample:
        print_solution(console, solution)
    _print_figures(console, inspection.figures)
    if inspection.readings:
        _print_readings(console, inspection)
    if remarks := inspection.not_read:
        show(console, f"{len(remarks)} rows without usable steps: {', '.join(remarks[:5])}")


def _print_figures(console: Console, figures: dict[str, Any]) -> None:
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_row("solutions", f"{figures['solutions']:,}", Text(_listed(figures["splits"])))
    table.add_row("answers", "", Text(_listed(figures["answers"])))
    spread = figures["steps_per_solution"]
    table.add_row("steps a solution", f"{spread['mean']:.1f}", f"{spread['min']} to {spread['max']}")
    total = sum(figures["steps"].values())
    for type_, count in sorted(figures["steps"].items()):
        words = figures["words_per_step"][type_]
        table.add_row(
            f"{type_} steps", f"{100 * count / total:.0f}%",
            f"{count:,}; {words['mean']:.0f} words, {words['min']} to {words['max']}",
        )  # fmt: skip
    for name, meaning in (
        ("without_memory", "solutions that recall nothing"),
        ("without_reason", "solutions that infer nothing"),
        ("ends_with_reason", "solutions whose last step is an inference"),
        ("facts_before_reasoning", "solutions with all memory steps first"),
        ("memory_repeated_within", "solutions that recall the same fact twice"),
        ("memory_shared_between", "memory steps that other solutions have word for word"),
    ):
        table.add_row(name.replace("_", " "), f"{100 * figures[name]:.0f}%", meaning)
    show(console, table)
    for text, count in figures["most_shared"]:
        show(console, f"  in {count} solutions: {text}", style="dim")


def _print_readings(console: Console, inspection: Inspection) -> None:
    from memreason.label.inspect import READINGS

    title = Text(f"answers of {inspection.reader}", style="table.title")
    table = Table(box=None, padding=(0, 2), title=title, title_justify="left")
    for heading in ("given", "correct", "95% interval", "what it says"):
        table.add_column(heading)
    for name, reading in inspection.readings.items():
        low, high = reading["interval"]
        interval = f"[{100 * low:.0f}, {100 * high:.0f}]"
        table.add_row(name, f"{100 * reading['accuracy']:.0f}% of {reading['n']}", interval, READINGS[name])
    show(console, table)
    if failed := sum(reading["failed"] for reading in inspection.readings.values()):
        show(console, f"{failed} requests got no answer, and are left out")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


COMMAND = Command(
    "label inspect",
    "show how good labelled solutions are: counts, lengths, a sample, and whether a reader can answer from them",
    EXAMPLES,
    run,
    ("FILE", "file"),
)
