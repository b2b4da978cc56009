"""Tables of comparisons on the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import wrap

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from memreason.compare.show.tables import OF, Table
from memreason.runtime.terminal import show

_PIPED, _NAMES, _GAP = 100, 32, 2
"""Columns of what no terminal shows (a file, a pipe); of names at most, longer ones go on below; between columns."""
_STYLES = {"better": "green", "worse": "red", "tied": "dim"}


def print_table(console: Console, table: Table) -> None:
    """Print a table with its title and its notes.

    Columns that do not fit beside the others follow below, with the names of the rows again; those under one heading
    stay together where they can. Nothing is cut: what is wider than the terminal alone is wrapped by the terminal.
    """
    piped = not console.is_terminal and "COLUMNS" not in os.environ
    space = max(console.width, _PIPED) if piped else console.width
    for part, columns in enumerate(_parts(table, space)):
        width = max(space, sum(_width(table, column) + _GAP for column in columns))
        if part:
            show(console)
        if table.title:
            show(console, f"{table.title}{', continued' if part else ''}", style="italic", soft_wrap=True)
        show(Console(file=console.file, width=width, quiet=console.quiet, emoji=False), _grid(table, columns))
    for note in table.notes:
        show(console, note, style="dim", soft_wrap=True)


def _parts(table: Table, space: int) -> Iterator[list[int]]:
    """The columns of each part of the table, the names of the rows first."""
    names = [place for place in range(len(table.columns)) if _is_name(table, place)]
    others = [place for place in range(len(table.columns)) if place not in names]
    room = space - sum(_width(table, place) + _GAP for place in names)

    def fit(columns: Sequence[int]) -> bool:
        return sum(_width(table, column) + _GAP for column in columns) <= room

    blocks: list[list[int]] = []
    for group, members in groupby(others, lambda place: table.columns[place].group):
        together = list(members)
        blocks += [together] if group and fit(together) else [[place] for place in together]
    part: list[int] = []
    for block in blocks:
        if part and not fit([*part, *block]):
            yield names + part
            part = []
        part += block
    yield names + part


def _grid(table: Table, columns: Sequence[int]) -> Grid:
    grid = Grid(box=None, padding=(0, 1))
    for place in columns:
        width, column = _width(table, place), table.columns[place]
        shared = column.group if _opens(table, place) or cell_len(column.group) <= width else ""
        heading = "\n".join(line for words in (shared, column.title) for line in wrap(words, width))
        grid.add_column(Text(heading), justify="right" if place else "left", vertical="bottom", overflow="fold",
                        no_wrap=not _is_name(table, place), width=width)  # fmt: skip
    for row in table.rows:
        grid.add_row(*(Text(row[place], style=_STYLES.get(row[place], "") if place else "") for place in columns))
    return grid


def _is_name(table: Table, place: int) -> bool:
    return not place or table.columns[place].title == OF


def _opens(table: Table, place: int) -> bool:
    """Whether the column is the first of those under its heading. Narrow ones beside it do not repeat the heading."""
    return not place or table.columns[place].group != table.columns[place - 1].group


def _width(table: Table, place: int) -> int:
    """What a column needs: figures stay on one line, headings have about three, and names are folded."""
    column = table.columns[place]
    headings = (column.title, column.group if _opens(table, place) else "")
    words = [*(word for heading in headings for word in heading.split()), "-" * (max(map(cell_len, headings)) // 3)]
    cells = max((cell_len(row[place]) for row in table.rows), default=0)
    if _is_name(table, place):
        return max(min(_NAMES, cells), min(_NAMES, max(map(cell_len, words))))
    return max(cells, *map(cell_len, words))
