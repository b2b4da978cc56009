"""Learning curves: a figure with its interval against the amount of training data, one line an arm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from memreason.compare.show import svg
from memreason.compare.show.numbers import Form

WIDTH = 760


@dataclass(frozen=True)
class Point:
    """A figure at one amount of training data."""

    x: float
    value: float
    interval: Sequence[float]


@dataclass(frozen=True)
class Curve:
    """The line of one arm."""

    name: str
    points: Sequence[Point]


def curves(
    arms: Sequence[Curve], label: str, x_label: str = "training questions", percent: bool = True, width: float = WIDTH,
    inline: bool = False,
) -> str:  # fmt: skip
    """The picture of the lines, with 95% intervals as upright bars, drawn a little apart; x is on a logarithmic scale.

    Args:
        arms: The lines.
        label: The figure in words.
        x_label: What x counts, above 0.
        percent: Whether figures are shares.
        width: Pixels of the picture.
        inline: Whether the page that it stands in has the style.
    """
    unit = 100 if percent else 1
    sizes = sorted({point.x for arm in arms for point in arm.points})
    ends = [unit * end for arm in arms for point in arm.points for end in (*point.interval, point.value)] or [0, 1]
    places = [at / unit for at in svg.ticks(min(ends), max(ends), 6)]
    form = Form(percent, 0 if unit * (places[1] - places[0]) >= 1 else 2)
    numbers = [f"{form.figure(at)}{form.unit}" for at in places]
    body, top = svg.legend([arm.name for arm in arms], width - 24, 12, 22)
    body += [svg.text(12, top + 6, f"{label} (95% interval)", "quiet")]
    top += 20
    left, right, bottom = 12 + max(map(svg.width, numbers)) + 8, width - 24, top + max(220, min(0.42 * width, 340))
    across = svg.Scale(math.log(sizes[0]), math.log(sizes[-1]), left + 28, right - 28)
    up = svg.Scale(places[0], places[-1], bottom, top)
    for at, words in zip(places, numbers, strict=True):
        body += [svg.line(left, up(at), right, up(at), "grid"), svg.text(left - 8, up(at) + 4.5, words, "quiet end")]
    body += [svg.text(across(math.log(size)), bottom + 20, f"{size:,g}", "quiet middle") for size in sizes]
    body.append(svg.text((left + right) / 2, bottom + 20 + svg.LINE, f"{x_label} (logarithmic)", "quiet middle"))
    apart = 7 if len(arms) < 6 else 3
    for place, arm in enumerate(arms):
        shift = apart * (place - (len(arms) - 1) / 2)
        spots = [(across(math.log(point.x)) + shift, point) for point in sorted(arm.points, key=lambda point: point.x)]
        body += _line(arm.name, spots, place, up, form)
    return svg.file(width, bottom + 20 + svg.LINE + 14, f"{label} by {x_label}", body, inline)


def _line(name: str, spots: Sequence[tuple[float, Point]], place: int, up: svg.Scale, form: Form) -> Iterator[Markup]:
    yield svg.polyline(((x, up(point.value)) for x, point in spots), f"thick {svg.colour(place)}")
    for x, point in spots:
        low, high = map(up, point.interval)
        yield svg.line(x, low, x, high, svg.colour(place))
        yield from (svg.line(x - 3, end, x + 3, end, svg.colour(place)) for end in (low, high))
        said = form.rate({"value": point.value, "interval": point.interval})
        yield svg.mark(x, up(point.value), place, f"{name}, {point.x:,g}: {said}")
