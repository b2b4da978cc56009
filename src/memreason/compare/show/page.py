"""A page of tables and pictures: one HTML file that opens from disk, fetches nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import jinja2
from markupsafe import Markup

from memreason.compare.show import svg
from memreason.compare.show.forest import NARROW, WIDTH
from memreason.compare.show.tables import Table
from memreason.runtime import pages

_FOLDER = Path(__file__).with_name("template")


class Picture(Protocol):
    """A picture without a style of its own, in any width: ``partial(forest.differences, results, inline=True)``."""

    def __call__(self, *, width: float) -> str:
        """The SVG, for a width in pixels."""


@dataclass(frozen=True)
class Section:
    """A part of the page. Its pictures are drawn twice, for a desk and for a phone."""

    title: str
    sentences: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    warnings: Sequence[str] = ()


def render(title: str, sections: Sequence[Section], sentences: Sequence[str] = (), beside: str = "") -> str:
    """The page.

    Args:
        title: Its heading.
        sections: Its parts.
        sentences: What stands before them.
        beside: The files that have the same figures in full.
    """
    style = pages.style(_FOLDER / "page.css") + svg.style()
    return _template().render(
        title=title, sentences=sentences, sections=sections, widths={"wide": WIDTH, "narrow": NARROW}, beside=beside,
        style=Markup(style), policy=pages.policy(style), version=version("memreason"),
    )  # fmt: skip


@cache
def _template() -> jinja2.Template:
    return pages.templates(_FOLDER).get_template("page.html")
