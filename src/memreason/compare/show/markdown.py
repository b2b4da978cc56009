"""Tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from memreason.compare.show.tables import Table
from memreason.runtime.pages import plain

_MARKUP = re.compile(
    r"[\\`*|]|(?<![^\W_])_|_(?![^\W_])"  # an underscore within a word is none
    r"|\](?=[(\[:])|!(?=\[)"  # a link, but not the brackets of an interval
    r"|^#|^[-+](?=\s)|^\d+(?=[.)]\s)"
)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "~": "&#126;"}
"""What is written as an entity: HTML, and signs that only some kinds of Markdown know, and know to escape."""


def markdown(table: Table, level: int = 3) -> str:
    """The table with its title as a heading, and its notes below it.

    Columns that share a heading have it before their own, as Markdown has no cells over several columns.
    """
    titles = [f"{column.group}: {column.title}" if column.group else column.title for column in table.columns]
    rule = f"|{'|'.join([':--', *['--:'] * (len(titles) - 1)])}|"
    heading = [f"{'#' * level} {text(table.title)}"] if table.title else []
    lines = "\n".join([_row(titles), rule, *map(_row, table.rows)])
    return "\n\n".join([*heading, lines, *map(text, table.notes)]) + "\n"


def document(title: str, sentences: Iterable[str], tables: Iterable[Table], level: int = 2) -> str:
    """A heading, sentences, and tables."""
    parts = [f"{'#' * level} {text(title)}", *map(text, sentences), *(markdown(each, level + 1) for each in tables)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def text(words: object) -> str:
    """Text on one line that says the same in every common Markdown, in tables too: neither markup nor HTML."""
    escaped = _MARKUP.sub(_escaped, " ".join(plain(words).split()))
    return "".join(_ENTITIES.get(sign, sign) for sign in escaped)


def _escaped(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"  # 1\. is no list


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(text, cells))} |"
