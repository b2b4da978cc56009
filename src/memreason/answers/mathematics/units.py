"""Finding the unit at the end of an answer, so that five metres are not five feet. Needs no torch."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAMES = {
    name: names.split()[0]
    for names in (
        "mm millimeter millimetre", "cm centimeter centimetre", "m meter metre", "km kilometer kilometre",
        "in inch inche", "ft foot feet", "yd yard", "mi mile", "mg milligram", "g gram", "kg kilogram", "ton tonne",
        "lb pound", "oz ounce", "ms millisecond", "second sec s", "minute min", "hour hr h", "day", "week", "month",
        "year yr", "decade", "century centurie", "dollar buck usd", "cent", "euro", "nickel", "dime", "quarter",
        "penny pennie", "degree deg", "radian rad", "percent", "L liter litre", "mL milliliter millilitre",
        "gallon gal", "quart", "pint", "N newton", "J joule", "W watt", "kW kilowatt", "Hz hertz", "V volt",
    )
    for name in names.split()
}  # fmt: skip
_RATES = {"mph": ("mi", "hour"), "kph": ("km", "hour"), "kmh": ("km", "hour"), "fps": ("ft", "second")}
_SIGNS = (
    (re.compile(r"(?:\^\s*\{?\s*\\circ\s*\}?|\\degree\b|°|º)\s*([CF]?)\b"), r" degree \1 "),
    (re.compile(r"\\?%"), " percent "),
    (re.compile("¢"), " cent "),
    (re.compile("€"), " euro "),
    (re.compile(r"(?<=\d)\s*(?:''|\"|″)\s*$"), " in "),
    (re.compile(r"(?<=\d)\s*['′]\s*$"), " ft "),
    (re.compile(r"\s+"), " "),
)
_ENDS = re.compile(
    r"(?P<before>[\d})]|\\pi|[A-Za-z])\s+(?:(?P<area>sq|square)\.?\s+|(?P<volume>cu|cubic)\.?\s+)?(?P<unit>[A-Za-z]+)\.?"
    r"\s*(?:\^?\s*\{?(?P<power>[23²³])\}?)?"
    r"(?:\s*(?:/|per\b|an?\b)\s*(?P<per>[A-Za-z]+)(?:\s*\^?\s*\{?[23²³]\}?)?| (?P<scale>C|F|Celsius|Fahrenheit))?\W*$"
)
_LONGEST = 80


class Measure(NamedTuple):
    """A unit: its name, its power ("2" or "3"), and the unit after "per" (or C or F after "degree"); else None."""

    unit: str | None = None
    power: str | None = None
    per: str | None = None


def measure(text: str) -> Measure:
    """The unit at the end of a text, after a space; without one, dollars, if the text begins with a dollar sign."""
    text = text[-_LONGEST:]
    money = bool(re.match(r"\s*-?\s*\\?\$", text))
    for sign, name in _SIGNS:
        text = sign.sub(name, text)
    match = _ENDS.search(text.strip())
    if not match or (len(match["unit"]) == 1 and match["before"].isalpha()):
        return Measure("dollar" if money else None)
    unit, per = match["unit"], _name(match["per"]) or (match["scale"] or "")[:1] or None
    if unit.casefold() in _RATES:
        return Measure(*(_RATES[unit.casefold()][0], None, _RATES[unit.casefold()][1]))
    power = "2" if match["area"] or match["power"] in ("2", "²") else None
    power = "3" if match["volume"] or match["power"] in ("3", "³") else power
    return Measure(_name(unit) or ("dollar" if money else None), power if _name(unit) else None, per)


def conflict(one: Measure, other: Measure) -> bool:
    """Whether two units differ. A missing unit never differs, nor does a missing part of one."""
    if not (one.unit and other.unit):
        return False
    return any(a and b and a != b for a, b in zip(one, other, strict=True))


def _name(word: str | None) -> str | None:
    spellings = (word, word.casefold(), word.casefold().removesuffix("s")) if word else ()
    return next((_NAMES[spelling] for spelling in spellings if spelling in _NAMES), None)
