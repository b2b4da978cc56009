"""Numbers as readers see them: no more digits than the data have, a sign where a difference has one, p-values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
NONE = "–"
FINE = 200
"""From so many answers on, one is worth half a point of per cent or less, and shares have one decimal."""


@dataclass(frozen=True)
class Form:
    """How the figures of one measure are written."""

    percent: bool
    """Whether they are shares, which are written in per cent."""
    decimals: int
    """How many digits stand behind the point."""

    @property
    def unit(self) -> str:
        """What stands behind a figure."""
        return "%" if self.percent else ""

    def figure(self, value: float | None) -> str:
        """0.685 as 68.5, without its unit."""
        return NONE if value is None else f"{self._scaled(value):z,.{self.decimals}f}".replace("-", "−")

    def change(self, value: float | None) -> str:
        """A difference, with its sign: +4.2, −1.5, 0.0."""
        if value is None:
            return NONE
        text = self.figure(value)
        return f"+{text}" if not text.startswith("−") and text.strip("0.,") else text

    def detectable(self, smallest: float | None) -> str:
        """The smallest difference that could have been detected; `>100` where no share can differ by so much."""
        return ">100" if self.percent and smallest is not None and smallest > 1 else self.figure(smallest)

    def rate(self, arm: Json) -> str:
        """`68.5% [64.7, 72.1]`"""
        low, high = arm["interval"]
        return f"{self.figure(arm['value'])}{self.unit} [{self.figure(low)}, {self.figure(high)}]"

    def difference(self, pair: Json) -> str:
        """`+4.2 [+0.6, +7.9]`"""
        return f"{self.change(pair['difference'])} {self.ends(pair['interval'])}"

    def ends(self, interval: Sequence[float] | None) -> str:
        """The two ends of the interval of a difference, in brackets."""
        return NONE if interval is None else f"[{', '.join(map(self.change, interval))}]"

    def _scaled(self, value: float) -> float:
        return 100 * value if self.percent else value


def form_of(result: Json) -> Form:
    """The form of all figures of a result.

    Shares get a decimal where one answer more or less is worth at most half a point. Other figures get the two leading
    digits of half the first side's interval.
    """
    if result["kind"] == "share":
        answers = result["n"] * min((arm["runs"] for arm in result["arms"]), default=1)
        return Form(True, int(answers >= FINE))
    reach = max(((arm["interval"][1] - arm["interval"][0]) / 2 for arm in result["arms"][:1]), default=0.0)
    return Form(False, min(max(1 - math.floor(math.log10(reach)), 0), 4) if reach > 0 else 1)


def form_of_group(result: Json, group: Json) -> Form:
    """The form of the figures of one group of questions (`--by`), which has fewer questions than the result."""
    return form_of({**result, "n": group["n"]}) if result["kind"] == "share" else form_of(result)


def count(number: int) -> str:
    """1234 as 1,234."""
    return f"{number:,}"


def several(number: int, noun: str) -> str:
    """`1 question`, `600 questions`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
