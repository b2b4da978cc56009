"""Comparisons on the terminal: what they say, and their tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from memreason.compare.result import ComparisonResult
from memreason.compare.show.comparison import by_measure, sentences, tables, warnings
from memreason.compare.show.tables import OF, Table
from memreason.runtime.terminal import show

_WIDTH, _NAMES = 100, 12
"""Columns of a table, and of its names. In fewer, rich would cut figures; a narrower terminal wraps them instead."""
_STYLES = {"better": "green", "worse": "red", "statistically tied": "dim"}


def print_comparison(console: Console, results: Sequence[ComparisonResult]) -> None:
    """Print for each measure its sentences, its tables, and what to know before they are believed."""
    for number, splits in enumerate(by_measure([result.to_json() for result in results]).values()):
        if number:
            show(console)
        for sentence in sentences(splits):
            show(console, Text(sentence, style="bold"), soft_wrap=True)
        for table in tables(splits):
            show(console)
            print_table(console, table)
        for warning in warnings(splits):
            show(console, f"note: {warning}", style="yellow", soft_wrap=True)


def print_table(console: Console, table: Table) -> None:
    """Print a table with its title and its notes. Names that find no room go on below; figures stay on one line."""
    grid = Grid(title=table.title, title_justify="left", box=None, padding=(0, 1))
    for place, column in enumerate(table.columns):
        heading = Text(f"{column.group}: {column.title}" if column.group else column.title)
        names = not place or column.title == OF
        grid.add_column(heading, justify="right" if place else "left", overflow="fold", no_wrap=not names,
                        min_width=_NAMES if names else None)  # fmt: skip
    for row in table.rows:
        grid.add_row(*(Text(cell, style=_STYLES.get(cell, "") if place else "") for place, cell in enumerate(row)))
    show(Console(file=console.file, width=max(console.width, _WIDTH), emoji=False), grid)
    for note in table.notes:
        show(console, note, style="dim", soft_wrap=True)
