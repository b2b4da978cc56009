"""Tables of a comparison on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memreason.runtime.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from memreason.compare.show.tables import Table


def print_table(console: Console, table: Table) -> None:
    """Print a table with its title and its notes. Headings that columns share stand above their own."""
    from rich import table as rich

    grid = rich.Table(title=table.title or None, title_justify="left", box=None, padding=(0, 1))
    for place, column in enumerate(table.columns):
        heading = "\n".join(filter(None, (column.group, column.title)))
        grid.add_column(heading, justify="right" if place else "left", vertical="bottom", no_wrap=not place)
    for row in table.rows:
        grid.add_row(*row)
    show(console, grid)
    for note in table.notes:
        show(console, note, style="dim")
