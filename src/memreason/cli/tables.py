"""Tables of comparisons on the terminal."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from memreason.compare.show.tables import OF, Table
from memreason.runtime.terminal import show

_WIDTH, _NAMES, _MOST = 100, 12, 10_000
"""Columns of a table, and of its names. Where figures need more, the table is wider: rich would cut them, and leave out
the names. A narrower terminal wraps them instead."""
_STYLES = {"better": "green", "worse": "red", "statistically tied": "dim"}


def print_table(console: Console, table: Table) -> None:
    """Print a table with its title and its notes. Headings that columns share stand above their own; names that find no
    room go on below, and figures stay on one line."""
    grid = Grid(title=table.title or None, title_justify="left", box=None, padding=(0, 1))
    for place, column in enumerate(table.columns):
        heading = Text("\n".join(filter(None, (column.group, column.title))))
        names = not place or column.title == OF
        longest = max(map(cell_len, (column.group, column.title, *(row[place] for row in table.rows))))
        grid.add_column(heading, justify="right" if place else "left", vertical="bottom", overflow="fold",
                        no_wrap=not names, min_width=_NAMES if names else longest)  # fmt: skip
    for row in table.rows:
        grid.add_row(*(Text(cell, style=_STYLES.get(cell, "") if place else "") for place, cell in enumerate(row)))
    needed = Measurement.get(console, console.options.update(max_width=_MOST), grid).minimum
    width = max(console.width, _WIDTH, needed)
    show(Console(file=console.file, width=width, quiet=console.quiet, emoji=False), grid)
    for note in table.notes:
        show(console, note, style="dim", soft_wrap=True)
