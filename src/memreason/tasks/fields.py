"""Fields of rows that other people wrote: each of the type that is asked for, or an error that says what it is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from memreason.records import one_line, spelled
from memreason.runtime.reading import shown

MOST_OPTIONS = 26
"""Options have letters."""
_LETTER = re.compile(
    r"\s*\*{0,2}(?:option|choice)?\s*[(\[（]?([A-Za-z])\s*\*{0,2}(?:[.):\]、．：）](?![A-Za-z]\.)|\s[-–—](?=\s))\*{0,2}\s*(?=\S)",
    re.IGNORECASE,
)


def text_of(row: dict[str, Any], name: str) -> str:
    """A text. Raises KeyError or TypeError."""
    if not isinstance(row[name], str):
        raise TypeError(f'field "{name}" must be a text, got {shown(row[name])}')
    return row[name]


def texts_of(row: dict[str, Any], name: str) -> list[str]:
    """A list of texts. Raises KeyError or TypeError."""
    found = row[name]
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise TypeError(f'field "{name}" must be a list of texts, got {shown(found)}')
    return found


def enough(options: Sequence[str]) -> tuple[str, ...]:
    """The options of a question that has some, stripped. Raises ValueError where they are too few or too many."""
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise ValueError(f"2 to {MOST_OPTIONS} options are needed, got {len(options)}")
    return tuple(option.strip() for option in options)


def identifier(value: object, name: str = "id") -> str:
    """An id as a text, 0 like any other; empty where none is given. Raises TypeError."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f'field "{name}" must be a text or a number, got {shown(value)}')
    return one_line(spelled(value))


def answer_of(row: dict[str, Any], name: str) -> str | bool | int | float:
    """An answer: a text that is not blank, a truth value or a number. Raises KeyError, TypeError or ValueError."""
    value = row[name]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f'field "{name}" is {json.dumps(value)}; an answer is a text, True, False or a number')
    if not isinstance(value, str | bool | int | float) or not str(value).strip():
        raise TypeError(
            f'field "{name}" must be a non-empty text, got {shown(value)} (True, False and numbers will do)'
        )
    return value


def without_letters(options: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """(options, whether they carried their letters): "A. Paris", "B. Rome" → Paris, Rome.

    The letters come off only where every option has its own, in order.
    """
    found = [_LETTER.match(option) for option in options]
    carried = len(found) > 1 and all(
        match and match[1].upper() == chr(65 + i) for i, match in enumerate(found[:MOST_OPTIONS])
    )
    if not carried:
        return tuple(options), False
    return tuple(option[match.end() :] for option, match in zip(options, found, strict=True) if match), True
