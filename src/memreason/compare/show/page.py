"""A page of tables and pictures: one HTML file that opens from disk, fetches nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import jinja2
from markupsafe import Markup

from memreason.compare.show import svg
from memreason.compare.show.forest import NARROW, WIDTH
from memreason.compare.show.tables import Table
from memreason.runtime import pages

_FOLDER = Path(__file__).with_name("template")


@dataclass(frozen=True)
class Section:
    """A part of the page. Its pictures are functions of a width in pixels that draw without a style of their own, so
    that a phone gets one as well as a desk: ``lambda width: forest.differences(results, width, inline=True)``."""

    title: str
    sentences: Sequence[str] = ()
    pictures: Sequence[Callable[[float], str]] = ()
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
    style = f":root {{ {pages.colours()}}}\n{(_FOLDER / 'page.css').read_text(encoding='utf-8')}{svg.style()}"
    drawn = [
        {
            "title": each.title,
            "sentences": each.sentences,
            "pictures": [(Markup(draw(WIDTH)), Markup(draw(NARROW))) for draw in each.pictures],
            "tables": each.tables,
            "warnings": each.warnings,
        }
        for each in sections
    ]
    return _template().render(
        title=title, sentences=sentences, sections=drawn, style=Markup(style), policy=pages.policy(style),
        version=version("memreason"), beside=beside,
    )  # fmt: skip


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"visible": pages.visible, "plain": pages.plain}
    return environment.get_template("page.html")
