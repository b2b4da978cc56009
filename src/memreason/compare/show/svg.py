"""What the pictures share: a file of SVG with its colours in light and dark, texts and their widths, scales, marks.

Colours are classes with plain values, so that programs that know no custom properties of CSS draw them too.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from memreason.runtime.pages import PALETTE, plain

FONT = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
SIZE = 13
"""Pixels of the letters."""
LINE = 17
"""Pixels from line to line."""
COLOURS = ("memory", "reason", "slip", "both", "in", "quiet")
"""Colours of series, in their order."""
SHAPES = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",  # a disc
    "M-4-4H4V4H-4z",
    "M0-5.5 5.5 4.5H-5.5z",
    "M0-6 6 0 0 6-6 0z",
    "M-5.5-4.5H5.5L0 5.5z",
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0zM-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z",
    "M-4.5-4.5H4.5V4.5H-4.5zM-2-2V2H2V-2z",
)
"""Marks of series, in their order; colour only repeats them. 6 colours and 7 shapes make 42 different marks."""
_WIDE = {**dict.fromkeys("fijlrtI.,:;|!'()[]- ", 0.40), **dict.fromkeys("mwMW%@−+<>=", 0.96)}
"""Widths of characters in letters' heights, on the broad side of the common fonts; for others see `_wide`."""


def file(width: float, height: float, label: str, body: Iterable[Markup], inline: bool = False) -> str:
    """A picture; ``label`` is what a screen reader says. For a page that has `style`, ``inline`` leaves it away."""
    own = "" if inline else Markup("<title>{}</title><style>{}</style>").format(plain(label), Markup(style()))
    # The namespace is no address that anything asks.
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {0:g} {1:g}" width="{0:g}" height="{1:g}" '
        'role="img" aria-label="{2}">{3}<rect class="paper" width="{0:g}" height="{1:g}"/>{4}</svg>\n'
    ).format(width, height, plain(label), own, Markup("\n").join(["", *body, ""]))


def style() -> str:
    """The rules of all pictures: light, and dark where the reader's system is dark."""
    fixed = (
        f".plot text{{font:{SIZE}px {FONT};font-variant-numeric:tabular-nums}}.plot .strong{{font-weight:600}}"
        ".plot text{stroke-width:4;stroke-linejoin:round;paint-order:stroke}.plot .middle{text-anchor:middle}"
        ".plot .end{text-anchor:end}.plot line,.plot polyline{fill:none;stroke-width:1}"
        ".plot .thick{stroke-width:2}.plot .zero{stroke-width:1.5}.plot .margin{stroke-dasharray:5 4}"
        ".plot path{fill-rule:evenodd}"
    )
    light, dark = (_rules(side) for side in (0, 1))
    return f"{fixed}{light}@media (prefers-color-scheme:dark){{{dark}}}"


def _rules(side: int) -> str:
    colours = {name: pair[side] for name, pair in PALETTE.items()}
    rules = [f".plot .paper{{fill:{colours['paper']}}}.plot text{{fill:{colours['ink']};stroke:{colours['paper']}}}"]
    rules += [f".plot text.quiet{{fill:{colours['quiet']}}}.plot .grid{{stroke:{colours['rule']}}}"]
    rules += [f".plot .zero,.plot .margin{{stroke:{colours['quiet']}}}"]
    rules += [
        f".plot path.{name}{{fill:{colours[name]}}}.plot line.{name},.plot polyline.{name}{{stroke:{colours[name]}}}"
        for name in COLOURS
    ]
    return "".join(rules)


def text(x: float, y: float, words: str, name: str = "", full: str = "") -> Markup:
    """A line of text on the baseline ``y``. ``full`` is said to whoever points at it."""
    title = Markup("<title>{}</title>").format(plain(full)) if full else ""
    return Markup('<text x="{:.5g}" y="{:.5g}" class="{}">{}{}</text>').format(x, y, name, title, plain(words))


def line(x1: float, y1: float, x2: float, y2: float, name: str) -> Markup:
    """A straight line; its class gives its colour."""
    return Markup('<line x1="{:.5g}" y1="{:.5g}" x2="{:.5g}" y2="{:.5g}" class="{}"/>').format(x1, y1, x2, y2, name)


def polyline(points: Iterable[tuple[float, float]], name: str) -> Markup:
    """A line through points."""
    return Markup('<polyline points="{}" class="{}"/>').format(" ".join(f"{x:.5g},{y:.5g}" for x, y in points), name)


def mark(x: float, y: float, place: int, title: str = "") -> Markup:
    """The mark of the series at ``place``."""
    said = Markup("<title>{}</title>").format(plain(title)) if title else ""
    return Markup('<path d="{}" transform="translate({:.5g} {:.5g})" class="{}">{}</path>').format(
        SHAPES[place % len(SHAPES)], x, y, colour(place), said
    )


def colour(place: int) -> str:
    """The class of the series at ``place``."""
    return COLOURS[place % len(COLOURS)]


def width(words: str) -> float:
    """About how many pixels a text needs; rather too many than too few."""
    return SIZE * sum(map(_wide, words))


def _wide(character: str) -> float:
    if character in _WIDE:
        return _WIDE[character]
    if unicodedata.combining(character):
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    return 0.76 if character.isupper() else 0.64


def wrapped(words: str, room: float, most: int = 3) -> list[str]:
    """A text in lines of at most ``room`` pixels, broken behind blanks, hyphens, underscores, slashes and commas, or
    within words that are longer. What needs more than ``most`` lines ends with an ellipsis."""
    lines = [""]
    for piece in re.findall(r"[^\s/_,-]*[\s/_,-]|[^\s/_,-]+", " ".join(plain(words).split())):
        if lines[-1] and width(lines[-1] + piece.rstrip()) > room:
            lines.append("")
        for character in piece:
            if lines[-1] and width(lines[-1] + character) > room and character != " ":
                lines.append("")
            lines[-1] += character
    lines = [each.strip() for each in lines]
    if len(lines) > most:
        last = lines[most - 1]
        while last and width(f"{last}…") > room:
            last = last[:-1]
        lines = [*lines[: most - 1], f"{last}…"]
    return lines


@dataclass(frozen=True)
class Scale:
    """Values from ``low`` to ``high`` on the pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low or 1)
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values (1, 2 or 5 times a power of ten apart) from at or below ``low`` to at or above ``high``, at most
    about ``most`` of them."""
    span = (high - low) or abs(high) or 1.0
    raw = span / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 12) for place in range(first, max(last, first + 1) + 1)]


def legend(names: Sequence[str], room: float, x: float, y: float) -> tuple[list[Markup], float]:
    """The marks of series with their names, in as many lines as they need; and where the next line begins."""
    body, at = [], x
    for place, name in enumerate(names):
        lines = wrapped(name, room - 20, 2)
        wide = 20 + max(map(width, lines)) + 14
        if at > x and at + wide > x + room:
            at, y = x, y + LINE
        body.append(mark(at + 6, y - 4.5, place))
        for number, words in enumerate(lines):
            body.append(text(at + 18, y + LINE * number, words, full=name if words.endswith("…") else ""))
        y += LINE * (len(lines) - 1)
        at += wide
    return body, y + LINE
