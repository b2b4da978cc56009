"""What the template draws that is more than one number: the picture of all answers, tables, histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from memreason.explain.report import plots, words
from memreason.explain.report.numbers import Figures, Form, Number, pointer
from memreason.explain.report.plots import Part


def view(**filters: object) -> str:
    """The address of the traces behind a figure: the browser's filters, in the URL's hash."""
    return "#" + urlencode({name: str(value) for name, value in filters.items()})


@dataclass(frozen=True, slots=True)
class Group:
    """Answers of one kind in the first picture."""

    name: str
    label: str
    means: str
    right: bool
    count: Number
    link: str
    drawn: Markup


def causes(f: Figures) -> list[str]:
    """The causes in the order of the page; after them, whatever else a judge names."""
    found = {name for row in (f.at("errors") or {}).values() for name in row or ()}
    return [*words.CAUSES, *sorted(found - set(words.CAUSES))]


def answers(f: Figures) -> list[Group]:
    """All answers after training: right ones by their grounds, wrong ones by their cause; those that are there."""
    splits = list(f.at("accuracy", "after") or f.at("errors") or {})
    wanted: list[tuple[str, str, str, bool, list[tuple[str, ...]], dict[str, str]]] = []

    def add(key: str, value: str, name: str, label: str, means: str, places: list[tuple[str, ...]]) -> None:
        wanted.append((name, label, means, key == "grounds" or value == "correct", places, {key: value}))

    metrics = [("metrics", "after", "splits", split) for split in splits]
    if f.at("errors"):
        for cause in causes(f):
            add("cause", cause, cause, words.spoken(cause, words.CAUSES), words.CAUSES_MEAN.get(cause, ""),
                [("errors", split, cause) for split in splits])  # fmt: skip
        add("outcome", "no_answer", "no_answer", "no answer", "it wrote no answer line that could be read",
            [(*place, "no_answer") for place in metrics])  # fmt: skip
        for grounds, label in words.GROUNDS.items():
            name = "unsure" if grounds == "unreadable" else grounds
            add("grounds", grounds, name, label, words.GROUNDS_MEAN[grounds], [("right", s, grounds) for s in splits])
    else:
        for outcome, label in words.OUTCOMES.items():
            add("outcome", outcome, outcome, label, "", [(*place, outcome) for place in metrics])
    groups = [
        Group(name, label, means, right, f.total(places), view(**filters), Markup())
        for name, label, means, right, places, filters in wanted
    ]
    most = max((group.count.value or 0 for group in groups), default=1)
    return [
        replace(group, drawn=_drawn(f, group, filters, most))
        for group, (*_, filters) in zip(groups, wanted, strict=True)
        if group.count
    ]


def _drawn(f: Figures, group: Group, filters: Mapping[str, str], most: float) -> Markup:
    everything = f.at("traces") or []
    traces = [t for t in everything if all(t.get(key) == value for key, value in filters.items())]
    if len(traces) != group.count.value or not plots.few_enough(len(everything)):
        return plots.bar([Part(group.name, group.count, group.link, group.label)], most, group.label)
    links = [view(id=trace["id"]) for trace in traces]
    return plots.units(group.name, links, [trace["question"] for trace in traces])


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table of counts: its number, how dark it is (0 to 6), and where a click leads."""

    number: Number
    shade: int
    link: str | None = None


def shades(numbers: Sequence[Number], links: Sequence[str | None], most: float) -> list[Cell]:
    """A row of a table; ``most`` is the count that is darkest."""
    return [
        Cell(number, round(6 * (number.value or 0) / most) if most else 0, link if number else None)
        for number, link in zip(numbers, links, strict=True)
    ]


def families(f: Figures) -> list[tuple[str, list[Cell]]]:
    """For each family the cells of its causes; families with the most errors come first."""
    found: dict[str, Any] = f.at("families")
    wrong = {name: sum(row["errors"].values()) for name, row in found.items()}
    most = max((count for row in found.values() for count in row["errors"].values()), default=1)
    return [
        (name, shades([f.count("families", name, "errors", cause) for cause in causes(f)],
                      [view(family=name, cause=cause) for cause in causes(f)], most))
        for name in sorted(found, key=lambda name: -wrong[name])
    ]  # fmt: skip


def repairs(f: Figures) -> list[tuple[str, list[Cell]]]:
    """For each judged cause, how many answers each repair mended."""
    table: dict[str, dict[str, int]] = f.at("attribution", "by_cause") or {}
    most = max((count for row in table.values() for count in row.values()), default=1)
    return [
        (cause, shades([f.count("attribution", "by_cause", cause, repair) for repair in words.REPAIRS],
                       [None] * len(words.REPAIRS), most))
        for cause in [*(c for c in words.CAUSES if c in table), *(c for c in table if c not in words.CAUSES)]
    ]  # fmt: skip


def types(f: Figures) -> list[str]:
    """All step types that stand at some position; memory and reason first."""
    found = {name for row in f.at("positions") for name in row["counts"]}
    return [name for name in ("memory", "reason") if name in found] + sorted(found - {"memory", "reason"})


def position(f: Figures, index: int) -> Markup:
    """The bar of a position."""
    row = f.at("positions", index)
    most = max(sum(each["counts"].values()) for each in f.at("positions"))
    parts = [
        Part(name, count, view(at=f"{row['position']}:{name}"), f"{count.text} {words.spoken(name)}")
        for name in types(f)
        if (count := f.count("positions", index, "counts", name))
    ]
    return plots.bar(parts, most, f"step {row['position']}")


def histogram(f: Figures, unit: str, outcome: str) -> Markup:
    """The histogram of a length for one outcome, on the scale that all outcomes share."""
    rows: dict[str, Any] = f.at("lengths", unit)
    pairs = [pair for row in rows.values() for pair in row["histogram"]]
    wide = rows[outcome].get("width") or 1
    low, high = min(value for value, _ in pairs), max(value for value, _ in pairs)
    parts = []
    for index, (value, count) in enumerate(rows[outcome]["histogram"]):
        upto = f"{value} to {value + wide - 1}" if wide > 1 else str(value)
        link = view(length=value, outcome=outcome) if unit == "steps" and wide == 1 else None
        number = Number(count, pointer(("lengths", unit, outcome, "histogram", index, 1)), "count")
        parts.append(((value - low) // wide, Part(outcome, number, link, f"{count} with {upto} {unit}")))
    # At least eight places, so that the columns of a few lengths are not as broad as the page.
    places = [low + wide * place for place in range(max(8, (high - low) // wide + 1))]
    ticks = [str(place) if wide == 1 or len(places) > 8 else f"{place}–{place + wide - 1}" for place in places]
    label = f"{words.OUTCOMES.get(outcome, outcome)}: {unit}"
    return plots.columns(parts, ticks, max(count for _, count in pairs), label)


def calibration(f: Figures) -> Markup:
    """The reliability curve."""
    bins = [
        plots.Bin(
            each["low"],
            each["high"],
            f.percent("confidence", "bins", index, "confidence"),
            f.percent("confidence", "bins", index, "true"),
            f.count("confidence", "bins", index, "n"),
            view(confidence=f"{each['low']}:{each['high']}"),
        )
        for index, each in enumerate(f.at("confidence", "bins"))
    ]
    return plots.reliability(bins, "Share of true memories by confidence")


def learning(f: Figures) -> Markup:
    """The curves over the epochs."""
    epochs = range(len(f.at("epochs")))
    series = [
        plots.Series(name, [(f.percent("epochs", i, key), ends(f, "epochs", i, f"{key}_interval" if key != "accuracy"
                                                               else "interval")) for i in epochs])
        for name, key in (("after", "accuracy"), ("memory", "memory_true"), ("reason", "reason_valid"))
    ]  # fmt: skip
    ticks = [f"{row['epoch']:g}" for row in f.at("epochs")]
    return plots.curves(series, ticks, "Accuracy, true memories and valid inferences by epoch")


def ends(f: Figures, *place: str | int, form: Form = "percent") -> list[Number]:
    """The two ends of an interval; nothing where there is none."""
    return [Number(end, pointer((*place, at)), form) for at, end in enumerate(f.at(*place) or ())]
