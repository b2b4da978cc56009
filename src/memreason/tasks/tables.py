"""Reading the rows of tables as dictionaries: CSV and TSV, compressed or not, and Parquet (through `datasets`)."""

from __future__ import annotations

import ast
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.runtime.files import listed, read_lines
from memreason.runtime.reading import reading

LISTS = ("options", "steps", "cot_steps")
"""Columns that hold lists. In a CSV, a list is written as JSON, as Python writes lists, or with one entry per line."""
_REMEDY = "correct the row, or give a whole table whose first line names the columns"


def is_table(path: Path) -> bool:
    """Whether the name of a file says that it is a table."""
    return _suffix(path) in (".csv", ".tsv", ".parquet")


def read_table(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of each row. In a CSV every cell is a text, or None if it is empty.

    Raises UserError that names the place of a bad row.
    """
    return _parquet(path) if _suffix(path) == ".parquet" else _csv(path)


def _suffix(path: Path) -> str:
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import datasets

    with reading(str(path), "give a whole Parquet file"):
        # Streamed row by row, so that no copy of the table stays in a cache.
        for index, row in enumerate(
            datasets.load_dataset("parquet", data_files=str(path), split="train", streaming=True)
        ):
            yield f"{path}[{index}]", row


def _csv(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    lines = (line for _, line in read_lines(path))
    first = next(lines, "")
    separator = max(",;\t", key=first.count)
    rows = csv.reader(lines, delimiter=separator, strict=True)
    names = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
    if len(set(names)) < len(names):
        raise UserError(f"{path}:1: a column's name stands twice: {listed(names)}; rename one")
    while True:
        number = rows.line_num + 2  # after the names
        with reading(f"{path}:{number}", _REMEDY):
            cells = next(rows, None)
            if cells is None:
                return
            if len(cells) > len(names):
                raise ValueError(f"{len(cells)} cells in a table of {len(names)} columns ({listed(names)})")
        if any(cells):
            row: dict[str, Any] = dict.fromkeys(names) | {
                name: _list(cell) if name in LISTS else cell for name, cell in zip(names, cells, strict=False) if cell
            }
            yield f"{path}:{number}", row


def _list(cell: str) -> Any:
    if not cell.lstrip().startswith("["):
        return [line for line in cell.splitlines() if line.strip()]
    for read in (json.loads, ast.literal_eval):
        try:
            return read(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    # A step such as "[memory]: A llama is heavy." begins with a bracket too, but is not a list.
    return [line for line in cell.splitlines() if line.strip()]
