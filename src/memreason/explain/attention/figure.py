"""Pictures of an attribution, for print and screen, that colour-blind readers can read: shares are shades of one blue,
and each part has its name beside its colour."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from itertools import combinations_with_replacement
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memreason.errors import UserError, plain
from memreason.explain.attention.shares import ANSWER, PREFIX, QUESTION, START, Shares, Span
from memreason.records import MEMORY, REASON
from memreason.runtime.files import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEAD, STEPS, HEADS = "head", "steps", "heads"
"""The pictures: tokens × tokens of one head, steps × steps, and layers × heads."""
COLOURS = {
    MEMORY: "#0B7189",
    REASON: "#B01E68",
    ANSWER: "#009E73",
    QUESTION: "#999999",
    PREFIX: "#E69F00",
    START: "#000000",
}
_MORE = ("#D55E00", "#56B4E9", "#F0E442", "#7F7F7F")
"""The colours of Okabe and Ito, but for the two types, which have the report's."""
_SHADES = "Blues"
_SIDE, _FONT, _SMALL = 5.0, 8.0, 5.5
"""Inches of a map's side, and points of its letters: those of names, and those of tokens."""
_NUMBERS = 16
"""Up to so many parts, the map of steps has numbers in its cells."""


def draw(found: Shares, what: str | None = None) -> Figure:
    """One of the pictures; by default, that of the head, where there is one, or else of the steps.

    Raises UserError where the attribution does not have what is to be drawn."""
    what = what or (HEAD if found.head else STEPS)
    if what == STEPS:
        bars = np.isnan(found.step_map).any(1).sum() > 1
        return _bars(found) if bars else _steps(found)
    if what == HEAD and found.head is not None and found.token_map is not None:
        return _head(found, found.head, found.token_map)
    if what == HEADS and found.heads():
        return _heads(found)
    raise UserError(
        f"picture {what!r}: this attribution by {found.method} has none; `head` needs a layer and a head, and "
        "`heads` the method attention and a trace with memory steps"
    )


def save(found: Shares, path: Path, what: str | None = None) -> None:
    """Write a picture, whose kind its name says: ``.png``, ``.svg`` or ``.pdf``. Raises UserError as `draw`."""
    from matplotlib import rc_context

    if path.suffix not in (".png", ".svg", ".pdf"):
        raise UserError(f"{path}: a picture is a .png, .svg or .pdf file; name one of these")
    figure, file = draw(found, what), io.BytesIO()
    dated = {".svg": "Date", ".pdf": "CreationDate"}.get(path.suffix)
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "memreason"}):
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box stands in its place
        figure.savefig(file, format=path.suffix[1:], dpi=200, metadata={dated: None} if dated else None)
    replace_file(path, file.getvalue())


# ---- pictures ------------------------------------------------------------------------------------------


def _head(found: Shares, head: tuple[int, int], weights: np.ndarray) -> Figure:
    figure, axes = _figure(f"Layer {head[0]}, head {head[1]}: what each token (row) reads")
    _map(figure, axes, weights, "weight")
    _mark_spans(axes, found.spans)
    tokens = [plain(token).replace("\n", "⏎").strip() or "␣" for token in found.tokens]
    tokens = [token if len(token) <= 14 else f"{token[:13]}…" for token in tokens]
    if len(tokens) * (_SMALL + 0.8) <= _SIDE * 72:
        axes.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=_SMALL, parse_math=False)
        axes.set_yticks(range(len(tokens)), tokens, fontsize=_SMALL, parse_math=False)
        axes.tick_params(length=1.5, pad=1.5)
    else:
        axes.set_xlabel(f"{len(tokens)} tokens", fontsize=_FONT)
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def _steps(found: Shares) -> Figure:
    names = [_name(span) for span in found.spans]
    side = min(_SIDE, 0.6 + 0.45 * len(names))
    figure, axes = _figure(f"What each step (row) takes from each, in % ({found.method})", side)
    shares = np.where(np.isnan(found.step_map), 0, found.step_map)
    _map(figure, axes, shares, "share")
    size = min(_FONT, side * 72 / len(names) * 0.9)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size, parse_math=False)
    axes.set_yticks(range(len(names)), names, fontsize=size, parse_math=False)
    for span, x, y in zip(found.spans, axes.get_xticklabels(), axes.get_yticklabels(), strict=True):
        x.set_color(_dark(span.type))
        y.set_color(_dark(span.type))
    axes.tick_params(length=2)
    if len(names) <= _NUMBERS:
        for column, row in combinations_with_replacement(range(len(names)), 2):
            share = shares[row, column]
            ink = "white" if share > shares.max() * 0.35 else "black"
            axes.text(column, row, f"{share * 100:.0f}", ha="center", va="center", fontsize=_FONT - 1, color=ink)
    return figure


def _bars(found: Shares) -> Figure:
    from matplotlib.figure import Figure

    row = found.step_map[~np.isnan(found.step_map).any(1)][-1]
    figure = Figure(figsize=(6.4, 1.2 + 0.24 * len(row)), layout="constrained")
    axes = figure.subplots()
    names = [_name(span) for span in found.spans]
    axes.barh(range(len(row)), row * 100, color=[_colour(span.type) for span in found.spans])
    axes.set_yticks(range(len(row)), names, fontsize=_FONT, parse_math=False)
    for place, share in enumerate(row):
        axes.text(share * 100, place, f" {share * 100:.0f}", va="center", fontsize=_FONT)
    axes.invert_yaxis()
    axes.tick_params(labelsize=_FONT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("share, in %", fontsize=_FONT)
    axes.set_title(f"What the answer takes from each step ({found.method})", loc="left", fontsize=_FONT + 1)
    return figure


def _heads(found: Shares) -> Figure:
    from matplotlib.figure import Figure

    assert found.by_kind is not None
    mass = found.by_kind[..., list(found.mass).index(MEMORY)]
    side = min(_SIDE, 0.22 * max(mass.shape) + 1)
    figure = Figure(figsize=(max(3.2, side * mass.shape[1] / max(mass.shape)) + 2.4, side + 1), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(mass, cmap=_SHADES, vmin=0, vmax=max(float(np.nanmax(mass)), 1e-6), aspect="auto")
    _colour_bar(figure, axes, image, "mass on memory tokens")
    places = range(0, len(mass), max(1, -(-len(mass) // 16)))
    axes.set_yticks(places, [str(found.layers[place]) for place in places], fontsize=_FONT)
    axes.set_xticks(range(0, mass.shape[1], max(1, -(-mass.shape[1] // 16))))
    axes.tick_params(labelsize=_FONT, length=2)
    axes.set_xlabel("head", fontsize=_FONT)
    axes.set_ylabel("layer", fontsize=_FONT)
    for rank, (layer, head, _) in enumerate(found.heads(), 1):
        axes.text(
            head, found.layers.index(layer), str(rank), ha="center", va="center", fontsize=_FONT - 1.5,
            bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "black", "lw": 0.6},
        )  # fmt: skip
    axes.set_title("Which heads read memory most (1 to 5)", loc="left", fontsize=_FONT + 1)
    return figure


# ---- parts of pictures ---------------------------------------------------------------------------------


def _figure(title: str, side: float = _SIDE) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(side + 2.4, side + 1.7), layout="constrained")
    axes = figure.subplots()
    figure.suptitle(title, x=0.01, ha="left", fontsize=_FONT + 1)
    return figure, axes


def _map(figure: Figure, axes: Axes, shares: np.ndarray, label: str) -> None:
    """A square map; what follows cannot be read, and stays white. Shades go by roots, since most shares are small."""
    from matplotlib.colors import PowerNorm

    norm = PowerNorm(0.5, 0, max(float(shares.max()), 1e-6))
    later = np.triu(np.ones_like(shares, dtype=bool), 1)
    image = axes.imshow(np.ma.masked_array(shares, later), cmap=_SHADES, norm=norm, aspect="equal")
    _colour_bar(figure, axes, image, label)


def _colour_bar(figure: Figure, axes: Axes, image: Any, label: str) -> None:
    bar = figure.colorbar(image, ax=axes, shrink=0.5, pad=0.02, aspect=25)
    bar.set_label(label, fontsize=_FONT)
    bar.ax.tick_params(labelsize=_FONT - 1)
    bar.outline.set_linewidth(0.4)


def _mark_spans(axes: Axes, spans: Sequence[Span]) -> None:
    """Lines between the parts, their colours along the top and the right side, and their names beyond these."""
    from matplotlib.patches import Rectangle

    count = spans[-1].end
    for span in spans[1:]:
        axes.axhline(span.start - 0.5, color="0.8", lw=min(0.25, 6 / len(spans)))
        axes.axvline(span.start - 0.5, color="0.8", lw=min(0.25, 6 / len(spans)))
    unit = count / (_SIDE * 72)  # tokens a point, about
    places, shown = spread([(span.start + span.end - 1) / 2 for span in spans], (_FONT + 1.5) * unit, -0.5, count - 0.5)
    band, gap = 4 * unit, 10 * unit
    for span in spans:
        colour, size = _colour(span.type), span.end - span.start
        box: dict[str, Any] = {"facecolor": colour, "edgecolor": "white", "lw": 0.3, "clip_on": False}
        axes.add_patch(Rectangle((span.start - 0.5, -0.5 - 1.5 * band), size, band, **box))
        axes.add_patch(Rectangle((count - 0.5 + band / 2, span.start - 0.5), band, size, **box))
    for number in shown:
        span, place = spans[number], places[number]
        middle, ink = (span.start + span.end - 1) / 2, _dark(span.type)
        line: dict[str, Any] = {"color": ink, "lw": 0.4, "clip_on": False}
        near, far = 1.5 * band, 1.5 * band + gap
        axes.plot([middle, place], [-0.5 - near, -0.5 - far], **line)
        axes.plot([count - 0.5 + near, count - 0.5 + far], [middle, place], **line)
        name: dict[str, Any] = {"fontsize": _FONT, "color": ink, "parse_math": False}
        axes.text(place, -0.5 - far - unit, _name(span), rotation=90, ha="center", va="bottom", **name)
        axes.text(count - 0.5 + far + unit, place, _name(span), va="center", **name)
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(count - 0.5, -0.5)


def spread(centres: Sequence[float], gap: float, low: float, high: float) -> tuple[list[float], list[int]]:
    """Where to write names so that they keep a distance of ``gap``, each as near to its centre as the others allow; and
    which of them have room between ``low`` and ``high`` at all (every second one, every third one, …).

    ``centres`` are in order."""
    most = max(1, int((high - low) // gap))
    shown = list(range(0, len(centres), max(1, -(-len(centres) // most))))
    # Without the distances, places must not decrease: each group of names that push each other stands at its mean.
    groups: list[list[float]] = []
    for order, number in enumerate(shown):
        groups.append([centres[number] - order * gap, 1])
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            (one, size), (other, more) = groups[-2:]
            groups[-2:] = [[(one * size + other * more) / (size + more), size + more]]
    free = [place for place, size in groups for _ in range(int(size))]
    top = high - (len(shown) - 1) * gap
    placed = [min(max(place, low), top) + order * gap for order, place in enumerate(free)]
    places = list(centres)
    for number, place in zip(shown, placed, strict=True):
        places[number] = place
    return places, shown


def _name(span: Span) -> str:
    name = plain(span.name)
    return f"{name}, {plain(span.type)}" if span.step is not None else name


def _colour(type_: str) -> str:
    return COLOURS.get(type_) or _MORE[sum(type_.encode()) % len(_MORE)]


def _dark(type_: str) -> str:
    """The colour of a type, dark enough for letters on white."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = to_rgb(_colour(type_))
    return to_hex((red * 0.7, green * 0.7, blue * 0.7))
