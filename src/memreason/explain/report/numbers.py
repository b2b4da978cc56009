"""Numbers as the page shows them, each with the place in explanation.json that it comes from.

The place is a JSON Pointer (RFC 6901). It stands beside the number in the page (``data-key``, with the exact value in
``data-value``), so that whoever doubts a figure can look it up, and a test compares all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup, escape

from memreason.compare.words import p_value

Form = Literal["count", "percent", "points", "number", "short", "size", "p"]
Place = Sequence[str | int]
MISSING = "–"


def shown(value: float | None, form: Form) -> str:
    """``0.575`` as "57.5%" (percent), "+57.5" (points: the difference of two shares), "57.5" (size),
    "0.57" (number), "0.6" (short) or as `p_value` has it (p)."""
    if value is None:
        return MISSING
    if form == "p":
        return p_value(value)
    if form == "count":
        return f"{value:,}"
    if form == "number":
        return f"{value:z.2f}".replace("-", "−")
    sign, scale = "+" if form == "points" else "", 1 if form == "short" else 100
    text = f"{scale * value:{sign}z.1f}"
    return text.removesuffix(".0").replace("-", "−") + ("%" if form == "percent" else "")


def pointer(place: Place) -> str:
    """The JSON Pointer of a place: ``("errors", "a/b")`` is ``/errors/a~1b``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the explanation, or the sum of several; in a template it writes itself as a ``<data>`` element."""

    value: float | None
    key: str
    """Its JSON Pointer, or a JSON list of the pointers of what it sums up."""
    form: Form

    @property
    def text(self) -> str:
        """As a reader sees it."""
        return shown(self.value, self.form)

    @property
    def attributes(self) -> Markup:
        """For an element that shows ``text``."""
        value = json.dumps(self.value)
        return Markup('data-key="{}" data-value="{}" data-form="{}"').format(self.key, value, self.form)

    def __html__(self) -> str:
        value = escape(json.dumps(self.value))
        return Markup('<data value="{}" {}>{}</data>').format(value, self.attributes, self.text)

    def __bool__(self) -> bool:
        return bool(self.value)


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of one explanation."""

    explanation: dict[str, Any]

    def at(self, *place: str | int) -> Any:
        """What stands at a place; None where nothing does."""
        found: Any = self.explanation
        for part in place:
            if isinstance(found, dict):
                found = found.get(part)
            elif isinstance(found, list) and isinstance(part, int) and part < len(found):
                found = found[part]
            else:
                return None
        return found

    def count(self, *place: str | int) -> Number:
        """How many."""
        return Number(self.at(*place), pointer(place), "count")

    def percent(self, *place: str | int) -> Number:
        """A share."""
        return Number(self.at(*place), pointer(place), "percent")

    def points(self, *place: str | int) -> Number:
        """A difference of two shares, in points of per cent."""
        return Number(self.at(*place), pointer(place), "points")

    def size(self, *place: str | int) -> Number:
        """How large a difference of two shares is, in points of per cent, whichever way it goes."""
        return Number(self.at(*place), pointer(place), "size")

    def number(self, *place: str | int) -> Number:
        """Any other number, with two decimals."""
        return Number(self.at(*place), pointer(place), "number")

    def p(self, *place: str | int) -> Number:
        """A p-value."""
        return Number(self.at(*place), pointer(place), "p")

    def short(self, *place: str | int) -> Number:
        """A number with one decimal where that is not 0."""
        return Number(self.at(*place), pointer(place), "short")

    def total(self, places: Iterable[Place]) -> Number:
        """The sum of counts; places where nothing stands are left out."""
        there = [place for place in places if self.at(*place) is not None]
        value = sum(self.at(*place) for place in there)
        return Number(value, json.dumps([pointer(place) for place in there], ensure_ascii=False), "count")
