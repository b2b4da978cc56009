"""Reading fields of rows that other people wrote: each has the wanted type, or an error says what it is instead."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from memreason.records import one_line, spelled
from memreason.runtime.reading import shown

MOST_OPTIONS = 26
"""Each option has a letter."""
_LETTER = re.compile(
    r"\s*\*{0,2}(?:option|choice)?\s*[(\[（]?([A-Za-z])\s*\*{0,2}(?:[.):\]、．：）](?![A-Za-z]\.)|\s[-–—](?=\s))\*{0,2}\s*(?=\S)",
    re.IGNORECASE,
)


def text_of(row: dict[str, Any], name: str) -> str:
    """The text in a field. Raises KeyError where the field is missing, TypeError where it is not a text."""
    if not isinstance(row[name], str):
        raise TypeError(f'field "{name}" must be a text, got {shown(row[name])}')
    return row[name]


def texts_of(row: dict[str, Any], name: str) -> list[str]:
    """The list of texts in a field. Raises KeyError where the field is missing, TypeError where it is no such list."""
    texts = row[name]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f'field "{name}" must be a list of texts, got {shown(texts)}')
    return texts


def enough(options: Sequence[str]) -> tuple[str, ...]:
    """The options of a multiple-choice question, stripped. Raises ValueError where they are too few or too many."""
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise ValueError(f"2 to {MOST_OPTIONS} options are needed, got {len(options)}")
    return tuple(option.strip() for option in options)


def identifier(value: object, name: str = "id") -> str:
    """An id as a text (the number 0 is an id too); empty where there is none.

    Raises TypeError for a value that is neither a text nor a number.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f'field "{name}" must be a text or a number, got {shown(value)}')
    return one_line(spelled(value))


def answer_of(row: dict[str, Any], name: str) -> str | bool | int | float:
    """The answer in a field: a text that is not blank, True or False, or a number.

    Raises KeyError where the field is missing, ValueError for NaN and infinities, TypeError for any other value.
    """
    value = row[name]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f'field "{name}" is {json.dumps(value)}; an answer is a text, True, False or a number')
    if not isinstance(value, str | bool | int | float) or not str(value).strip():
        raise TypeError(
            f'field "{name}" must be a non-empty text, got {shown(value)} (True, False and numbers will do)'
        )
    return value


def without_letters(options: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """(options without letters, whether they had letters): "A. Paris", "B. Rome" → Paris, Rome.

    The letters are removed only if every option begins with its own letter, A, B, … in order.
    """
    letters = [_LETTER.match(option) for option in options]
    carried = len(letters) > 1 and all(
        match and match[1].upper() == chr(65 + i) for i, match in enumerate(letters[:MOST_OPTIONS])
    )
    if not carried:
        return tuple(options), False
    return tuple(option[match.end() :] for option, match in zip(options, letters, strict=True) if match), True
