"""Plots as inline SVG. Lengths along x are per cent of the page's width and along y pixels, so that text keeps its size
on a phone; colours and strokes are classes of report.css, so that light, dark and print can differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from memreason.explain.report.numbers import Number
from memreason.runtime.pages import plain

SHAPES = {
    "memory": "M-5-5H5V5H-5z",
    "reason": "M0-6 6 5H-6z",
    "answer": "M0-6 6 0 0 6-6 0z",
    "step": "M-5-2H5V2H-5z",
    "prefix": "M-2-6H2V6H-2z",
    "question": "M-5-3 0-6 5-3V3L0 6-5 3z",
    "false_memory": "M-5-5H5V5H-5z",
    "wrong_inference": "M0-6 6 5H-6z",
    "both": "M-6-6H6V6H-6zM0-3 3 3H-3z",
    "missing_memory": "M-4.5-4.5H4.5V4.5H-4.5z",
    "answer_slip": "M0-6 6 0 0 6-6 0z",
    "unreadable": "M-4-4 4 4M4-4-4 4",
    "sound": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "lucky": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "unsure": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0zM-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z",
    "correct": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "incorrect": "M-4-4 4 4M4-4-4 4",
    "no_answer": "M-4 0H4",
    "before": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "mended": "M-5-5H5V5H-5z",
    "after": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
}
"""One shape for each meaning (paths around 0, 0): squares remember, triangles reason; colour only repeats it."""
_COLUMNS, _PITCH = 32, 14
"""Marks in a row of `units`, and the distance between two."""
_MOST_UNITS = 1000
"""With more answers, bars are drawn in place of marks."""
_WIDE = 0.09
"""A part of a bar as wide as this share has room for its number."""
_FEW = 12
"""Columns of a histogram that have room for their numbers."""


def sprite() -> Markup:
    """The shapes, once for the whole page."""
    paths = (
        Markup('<path id="g-{}" d="{}" fill-rule="evenodd"></path>').format(name, path) for name, path in SHAPES.items()
    )
    return Markup('<svg width="0" height="0" class="sprite" aria-hidden="true"><defs>{}</defs></svg>').format(
        Markup("").join(paths)
    )


def glyph(name: str) -> Markup:
    """A shape among words; the words beside it say what it means."""
    return Markup(
        '<svg class="glyph" viewBox="-7 -7 14 14" aria-hidden="true"><use href="#g-{0}" class="{0}"></use></svg>'
    ).format(_shape(name))


def _shape(name: str) -> str:
    return name if name in SHAPES else "step"


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def _line(x1: float, y1: float, x2: float, y2: float, name: str) -> Markup:
    return Markup('<line x1="{}" y1="{:.4g}" x2="{}" y2="{:.4g}" class="{}"></line>').format(
        _percent(x1), y1, _percent(x2), y2, name
    )


def _mark(name: str, x: float, y: float, value: Number) -> Markup:
    title = f"{plain(name).replace('_', ' ')}: {value.text}"
    return Markup('<use href="#g-{0}" x="{1}" y="{2:.4g}" class="{0}"><title>{3}</title></use>').format(
        _shape(name), _percent(x), y, title
    )


def _svg(height: float, label: str, body: Iterable[Markup], name: str = "") -> Markup:
    return Markup('<svg class="plot {}" height="{:.4g}" role="group" aria-label="{}">{}</svg>').format(
        name, height, plain(label), Markup("").join(body)
    )


def units(name: str, links: Sequence[str], titles: Sequence[str]) -> Markup:
    """A shape for each trace that leads to it. The keyboard goes past them: the link of their group leads there too."""
    rows = -(-len(links) // _COLUMNS) or 1
    shapes = (
        Markup('<a href="{}" tabindex="-1"><title>{}</title><use href="#g-{}" x="{}" y="{}"></use></a>').format(
            link, title, _shape(name), _PITCH * (place % _COLUMNS) + 7, _PITCH * (place // _COLUMNS) + 7
        )
        for place, (link, title) in enumerate(zip(links, map(plain, titles), strict=True))
    )
    return Markup('<svg class="units {}" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(
        _shape(name), _PITCH * _COLUMNS, _PITCH * rows, Markup("").join(shapes)
    )


def few_enough(count: int) -> bool:
    """Whether `units` can draw them."""
    return count <= _MOST_UNITS


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar, or a column: its shape and class, its count, and where a click leads."""

    name: str
    count: Number
    link: str | None = None
    title: str = ""


def _linked(drawn: Markup, part: Part) -> Markup:
    if part.link is None:
        return drawn
    return Markup('<a href="{}" aria-label="{}">{}</a>').format(part.link, plain(part.title), drawn)


def bar(parts: Sequence[Part], full: float, label: str) -> Markup:
    """One bar of pieces side by side; its whole width stands for ``full``."""
    body, start = [], 0.0
    for part in parts:
        width = (part.count.value or 0) / (full or 1)
        rect = Markup('<rect x="{}" y="2" width="{}" height="18" class="{}"><title>{}</title></rect>').format(
            _percent(start), _percent(width), _shape(part.name), plain(part.title)
        )
        inside = width > _WIDE
        if inside or part is parts[-1]:
            place, name = (start + width / 2, "inside") if inside else (start + width + _WIDE / 2, "beside")
            rect += Markup('<text x="{}" y="15.5" class="{}" {}>{}</text>').format(
                _percent(place), name, part.count.attributes, part.count.text
            )
        body.append(_linked(rect, part))
        start += width
    return _svg(22, label, body, "bar")


def span(marks: Sequence[tuple[str, Number, Sequence[Number]]]) -> Markup:
    """A row of an interval plot: (shape, value, ends of its interval or nothing) on the scale from 0 to 1.

    Two marks are joined by a dotted line.
    """

    def place(number: Number) -> float:
        return min(max(number.value or 0, 0), 1)

    body = [_line(share / 4, 0, share / 4, 26, "grid") for share in range(5)]
    there = [mark for mark in marks if mark[1].value is not None]
    if len(there) == 2:
        body.append(_line(place(there[0][1]), 13, place(there[1][1]), 13, "change"))
    for name, value, ends in there:
        if len(ends) == 2 and None not in (ends[0].value, ends[1].value):
            body.append(_line(place(ends[0]), 13, place(ends[1]), 13, f"interval {_shape(name)}"))
        body.append(_mark(name, place(value), 13, value))
    return Markup('<svg class="plot span" height="26" aria-hidden="true">{}</svg>').format(Markup("").join(body))


def axis(percent: bool = True) -> Markup:
    """The scale from 0 to 1 under rows of `span`."""
    texts = [f"{25 * quarter}%" if percent else f"{quarter / 4:g}" for quarter in range(5)]
    body = (
        Markup('<text x="{}" y="12">{}</text>').format(_percent(share / 4), text) for share, text in enumerate(texts)
    )
    return Markup('<svg class="plot axis" height="16" aria-hidden="true">{}</svg>').format(Markup("").join(body))


def _scale(height: float, top: float = 1) -> list[Markup]:
    """Horizontal lines at quarters, with their shares in per cent at the left."""
    lines = []
    for quarter in range(5):
        y = height * (1 - quarter / 4)
        lines += [_line(0, y, 1, y, "grid"), Markup('<text x="-8" y="{:.4g}" class="left">{:.0f}%</text>').format(
            y + 4, 25 * quarter * top)]  # fmt: skip
    return lines


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a plot: its shape and class, and for each x a value with the ends of its interval (or none)."""

    name: str
    points: Sequence[tuple[Number, Sequence[Number]]]


def curves(series: Sequence[Series], ticks: Sequence[str], label: str, height: float = 200) -> Markup:
    """Shares over a few places along x (epochs), with their intervals as bars."""
    count = len(ticks)
    across = [(place + 0.5) / count for place in range(count)]
    body = _scale(height)
    body += [Markup('<text x="{}" y="{}">{}</text>').format(_percent(x), height + 18, tick)
             for x, tick in zip(across, ticks, strict=True)]  # fmt: skip
    for each in series:
        there = [
            (x, value, ends) for x, (value, ends) in zip(across, each.points, strict=True) if value.value is not None
        ]
        spots = [(x, height * (1 - (value.value or 0)), value, ends) for x, value, ends in there]
        for (x1, y1, *_), (x2, y2, *_) in pairwise(spots):
            body.append(_line(x1, y1, x2, y2, f"curve {each.name}"))
        for x, y, value, ends in spots:
            if len(ends) == 2 and None not in (ends[0].value, ends[1].value):
                low, high = (height * (1 - (end.value or 0)) for end in ends)
                body.append(_line(x, low, x, high, f"interval {each.name}"))
            body.append(_mark(each.name, x, y, value))
    return _svg(height + 24, label, body, "tall")


@dataclass(frozen=True, slots=True)
class Bin:
    """A point of a reliability curve: confidence from low to high and its mean, share of true ones, how many, and where
    a click leads."""

    low: float
    high: float
    confidence: Number
    true: Number
    count: Number
    link: str


def reliability(bins: Sequence[Bin], label: str, height: float = 260) -> Markup:
    """Confidence along x, truth along y, the diagonal of perfect calibration, and below how densely they lie.

    The scale of x begins at the last tenth below the least confidence.
    """
    start = min([0.8, *(int(10 * each.low) / 10 for each in bins)])

    def across(confidence: float) -> float:
        return (confidence - start) / (1 - start)

    body = [*_scale(height), _line(0, height * (1 - start), 1, 0, "diagonal")]
    body += [
        Markup('<text x="{}" y="{}">{:.3g}%</text>').format(
            _percent(quarter / 4), height + 18, 100 * (start + (1 - start) * quarter / 4)
        )
        for quarter in range(5)
    ]
    spots = [(across(each.confidence.value or 0), height * (1 - (each.true.value or 0))) for each in bins]
    body += [_line(*first, *second, "curve memory") for first, second in pairwise(spots)]
    wide = [max(across(each.high) - across(each.low), 0.004) for each in bins]
    dense = [(each.count.value or 0) / width for each, width in zip(bins, wide, strict=True)]
    for each, (x, y), width, density in zip(bins, spots, wide, dense, strict=True):
        title = f"{each.count.text} memories with confidence {each.confidence.text}: {each.true.text} true"
        tall = 44 * density / (max(dense) or 1)
        body.append(
            Markup(
                '<a href="{}" aria-label="{}"><title>{}</title><rect x="{}" y="{:.4g}" width="{}" height="{:.4g}" '
                'class="memory density"></rect><use href="#g-memory" x="{}" y="{:.4g}" class="memory"></use></a>'
            ).format(
                each.link, title, title, _percent(across(each.low)), height + 72 - tall, _percent(width), tall,
                _percent(x), y,
            )
        )  # fmt: skip
    return _svg(height + 74, label, body, "tall")


def columns(parts: Sequence[tuple[int, Part]], ticks: Sequence[str], most: float, label: str) -> Markup:
    """A histogram: (place along x, column), with a text below each place; ``most`` is as high as the plot."""
    height, wide = 64, 1 / len(ticks)
    body = [_line(0, height, 1, height, "zero")]
    for place, part in parts:
        tall = height * (part.count.value or 0) / (most or 1)
        rect = Markup('<rect x="{}" y="{:.4g}" width="{}" height="{:.4g}" class="{}"><title>{}</title></rect>').format(
            _percent((place + 0.1) * wide),
            height - tall,
            _percent(0.8 * wide),
            tall,
            _shape(part.name),
            plain(part.title),
        )
        if len(ticks) <= _FEW:
            rect += Markup('<text x="{}" y="{:.4g}" {}>{}</text>').format(
                _percent((place + 0.5) * wide), height - tall - 4, part.count.attributes, part.count.text
            )
        body.append(_linked(rect, part))
    every = -(-len(ticks) // 10)
    body += [
        Markup('<text x="{}" y="{}">{}</text>').format(_percent((place + 0.5) * wide), height + 15, ticks[place])
        for place in range(0, len(ticks), every)
    ]
    return _svg(height + 20, label, body, "columns")
