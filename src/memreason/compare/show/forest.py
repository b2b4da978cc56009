"""Forest plots: a row for each arm, in it a mark with its 95% interval for each split (or other series)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from memreason.compare.show import svg
from memreason.compare.show.numbers import Form, Json, count, form_of, form_of_group
from memreason.compare.show.tables import against, arm_of, called, named

WIDTH, NARROW = 760, 344
"""Pixels of a picture on a desk and on a phone."""
_STEP, _GAP = 21, 11
"""Pixels from mark to mark of a row, and between rows."""


@dataclass(frozen=True)
class Mark:
    """A value with its interval, and what stands beside it."""

    value: float
    interval: Sequence[float]
    beside: str
    title: str


@dataclass(frozen=True)
class Row:
    """A row: its name, and a mark for each series; None where there is none."""

    name: str
    marks: Sequence[Mark | None]


@dataclass(frozen=True)
class Plot:
    """What a forest plot shows, before anything is placed."""

    title: str
    rows: Sequence[Row]
    series: Sequence[str]
    """Names of the series; the legend is left out where there is one only."""
    axis: str
    """What the scale has."""
    form: Form
    lines: Mapping[float, str]
    """Where upright lines stand → their kind: `zero` or `margin`."""
    sides: tuple[str, str] = ("", "")
    """What it means to lie left and right of zero."""


def differences(results: Mapping[str, Json], width: float = WIDTH, inline: bool = False) -> str:
    """The picture of how far arms differ: a row for each comparison, and in it a mark for each result.

    Args:
        results: Name of the series (a split, say) → a result; all have one measure.
        width: Pixels of the picture; under 500 the names stand above their marks.
        inline: Whether the page that it stands in has the style.
    """
    first = next(iter(results.values()))
    pairs = list(dict.fromkeys((p["first"], p["second"]) for each in results.values() for p in each["comparisons"]))
    baseline = pairs[0][0] if len({one for one, _ in pairs}) == 1 else ""
    rows = []
    for one, other in pairs:
        found = [(each, against(each, other, one)) for each in results.values()]
        marks = [_difference(form_of(result), pair) if pair else None for result, pair in found]
        rows.append(Row(other if baseline else f"{other} − {one}", marks))
    about = called(first) if len(results) == 1 else first["label"]
    what = f"{about}: difference{f' to {baseline}' if baseline else ''}"
    return draw(_of_differences(first, what, rows, _series(results), _n(results)), width, inline)


def groups(result: Json, width: float = WIDTH, inline: bool = False) -> str:
    """The picture of how far arms differ in each group of questions (`--by`); arguments as those of `differences`."""
    pairs = [(pair["first"], pair["second"]) for pair in result["comparisons"]]
    rows = []
    for row in result["groups"]["rows"]:
        form = form_of_group(result, row)
        found = (against(row, other, one) for one, other in pairs)
        marks = [_difference(form, pair) if pair else None for pair in found]
        rows.append(Row(f"{row['value']}, n = {count(row['n'])}", marks))
    series = [named(pair) for pair in result["comparisons"]]
    what = f"{called(result)} by {result['groups']['by']}: difference{f', {series[0]}' if len(series) == 1 else ''}"
    return draw(_of_differences(result, what, rows, series), width, inline)


def _series(results: Mapping[str, Json]) -> list[str]:
    return [f"{heading}, n = {count(result['n'])}" for heading, result in results.items()]


def _n(results: Mapping[str, Json]) -> str:
    """The number of questions, where no legend says it."""
    return "" if len(results) > 1 else f", n = {count(next(iter(results.values()))['n'])}"


def _of_differences(result: Json, what: str, rows: Sequence[Row], series: Sequence[str], n: str = "") -> Plot:
    form, margin = form_of(result), result["margin"]
    better = {True: ("worse", "better"), False: ("better", "worse"), None: ("lower", "higher")}
    axis = f"{what}{', percentage points' if form.percent else ''} (95% interval{n})"
    lines = {0.0: "zero"}
    if margin:
        lines[margin if result["higher_is_better"] is False else -margin] = "margin"
    return Plot(what, rows, series, axis, form, lines, better[result["higher_is_better"]])


def rates(results: Mapping[str, Json], width: float = WIDTH, inline: bool = False) -> str:
    """The picture of the arms' own figures; arguments as those of `differences`."""
    first = next(iter(results.values()))
    names = dict.fromkeys(arm["name"] for each in results.values() for arm in each["arms"])
    rows = []
    for name in names:
        marks = []
        for result in results.values():
            arm = arm_of(result, name)
            form = form_of(result)
            marks.append(Mark(arm["value"], arm["interval"], form.rate(arm), f"{called(result)}: {form.rate(arm)}")
                         if arm else None)  # fmt: skip
        rows.append(Row(name, marks))
    form = form_of(first)
    what, series = called(first) if len(results) == 1 else first["label"], _series(results)
    axis = f"{what}{', per cent' if form.percent else ''} (95% interval{_n(results)})"
    return draw(Plot(what, rows, series, axis, form, {}), width, inline)


def _difference(form: Form, pair: Json) -> Mark:
    return Mark(pair["difference"], pair["interval"], form.difference(pair), pair["sentence"])


def draw(plot: Plot, width: float = WIDTH, inline: bool = False) -> str:
    """The plot as SVG."""
    narrow = width < 500
    marks = [mark for row in plot.rows for mark in row.marks if mark]
    beside = max((svg.width(mark.beside) for mark in marks), default=0) + 14
    names = 0 if narrow else min(max((svg.width(row.name) for row in plot.rows), default=0), 0.3 * width)
    left = 12 + (0 if narrow else names + 14)
    right = width - 12 - (0 if narrow else beside)
    scale, places = _scale(plot, marks, left + 8, right - 8, narrow)
    body, y = svg.legend(plot.series, width - 24, 12, 22) if len(plot.series) > 1 else ([], 8.0)
    rows: list[Markup] = []
    top = y
    y += 6
    for row in plot.rows:
        drawn, y = _row(row, scale, y, names, narrow)
        rows += drawn
    grid = [svg.line(scale(at), top, scale(at), y, "grid") for at in places]
    grid += [svg.line(scale(at), top, scale(at), y, kind) for at, kind in plot.lines.items()]
    body = [*grid, *body, *rows]
    plain_form = Form(plot.form.percent, _decimals(places, plot.form))
    y += 16
    body += [svg.text(scale(at), y, plain_form.figure(at) if not any(plot.sides) else plain_form.change(at),
                      "quiet middle") for at in places]  # fmt: skip
    if any(plot.sides) and 0 in places:
        y += svg.LINE
        body += [svg.text(scale(0) - 10, y, f"← {plot.sides[0]}", "quiet end"),
                 svg.text(scale(0) + 10, y, f"{plot.sides[1]} →", "quiet")]  # fmt: skip
    for words in svg.wrapped(plot.axis, width - 24, 4):
        y += svg.LINE
        body.append(svg.text(width / 2 if narrow else (left + right) / 2, y, words, "quiet middle"))
    return svg.file(width, y + 12, plot.title, body, inline)


def _scale(plot: Plot, marks: Sequence[Mark], start: float, end: float, narrow: bool) -> tuple[svg.Scale, list[float]]:
    """The scale that holds all intervals and lines, and where it has numbers."""
    unit = 100 if plot.form.percent else 1
    ends = [unit * end for mark in marks for end in (*mark.interval, mark.value)] + [unit * at for at in plot.lines]
    low, high = (min(ends), max(ends)) if ends else (0, 1)
    if any(plot.sides):  # room for their words
        low, high = min(low, -high / 3), max(high, -low / 3)
    places = [at / unit for at in svg.ticks(low, high, 5 if narrow else 8)]
    return svg.Scale(places[0], places[-1], start, end), places


def _row(row: Row, scale: svg.Scale, y: float, names: float, narrow: bool) -> tuple[list[Markup], float]:
    """A row that begins at ``y``, and where the next one does."""
    lines = svg.wrapped(row.name, scale.end - scale.start if narrow else names)
    body = []
    if narrow:
        for words in lines:
            y += svg.LINE
            body.append(svg.text(scale.start, y - 4, words, "strong", row.name if words.endswith("…") else ""))
    each = _STEP + 15 if narrow else _STEP
    tall = each * len(row.marks)
    full = tall if narrow else max(tall, svg.LINE * len(lines) + 4)
    if not narrow:
        baseline = y + full / 2 - svg.LINE * (len(lines) - 1) / 2 + 4.5
        for place, words in enumerate(lines):
            title = row.name if words.endswith("…") else ""
            body.append(svg.text(12 + names, baseline + svg.LINE * place, words, "end", title))
    for place, mark in enumerate(row.marks):
        if mark is not None:
            centre = y + (full - tall) / 2 + each * place + (svg.LINE + 10 if narrow else each / 2)
            low, high = map(scale, mark.interval)
            body += [svg.line(low, centre, high, centre, f"thick {svg.colour(place)}"),
                     svg.line(low, centre - 4, low, centre + 4, svg.colour(place)),
                     svg.line(high, centre - 4, high, centre + 4, svg.colour(place)),
                     svg.mark(scale(mark.value), centre, place, mark.title)]  # fmt: skip
            beside = (scale.start, centre - 11) if narrow else (scale.end + 18, centre + 4.5)
            body.append(svg.text(*beside, mark.beside))
    return body, y + full + _GAP


def _decimals(places: Sequence[float], form: Form) -> int:
    step = (places[1] - places[0]) * (100 if form.percent else 1) if len(places) > 1 else 1
    return next((digits for digits in range(6) if abs(round(step, digits) - step) < 1e-9), 6)
