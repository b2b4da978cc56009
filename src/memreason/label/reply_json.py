"""Finds the JSON object in a reply, whatever stands around it. Takes linear time for every reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from json_repair import repair_json

from memreason.answers.thoughts import without_thoughts
from memreason.label.latex_escapes import escape_latex
from memreason.label.rejection_reasons import MOST_STEPS, Problem

_LONGEST = 1_000_000
"""Characters; a longer reply is not read at all."""
_LONGEST_MENDED = 20_000
"""Characters; the JSON of a longer reply is not mended."""
_MOST_FALSE_STARTS = 100
"""How many braces may look like the start of an object and be none: each one costs a pass through the text."""

_OBJECT = re.compile(r'\{\s*["}]')
_BEGUN = re.compile(r"\{\s*[\"']")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)  # allows plain line breaks and tabs in strings, which do no harm


def find_object(text: str, field: str) -> dict[str, Any]:
    """The JSON object with ``field`` in ``text``; the last one if there are several.

    Small errors are mended: single quotes, a comma too many, LaTeX with single backslashes. A text that breaks off is
    not mended, because that would make a shorter solution out of a longer one. Thoughts, which some models write before
    or after the object, are not read. Raises Problem if there is no such object.
    """
    if len(text) > _LONGEST:
        raise Problem("bad_json", f"it is longer than {_LONGEST:,} characters")
    text = _outside_thoughts(escape_latex(text))
    objects = list(_objects(text))
    whole = [(value, end) for value, _, end in objects if field in value]
    if whole:
        value, end = whole[-1]
        begun = _BEGUN.search(text, end)
        if begun and _breaks_off(text[begun.start() :]):
            raise Problem("bad_json", "it breaks off before its end")
        return value
    start = text.find("{")
    if start >= 0 and _breaks_off(text[start:]):
        raise Problem("bad_json", "it breaks off before its end")
    mended = _mended(text)
    if field in mended:
        return mended
    if objects:
        raise Problem("wrong_schema", f'there is no JSON object with "{field}" in it')
    raise Problem("bad_json", "it is not one whole JSON object")


def _outside_thoughts(text: str) -> str:
    """The text without thoughts; a mark of thoughts inside a whole JSON object is part of the object, and stays."""
    kept: list[str] = []
    parts: list[str] = []
    at = 0
    for _, start, end in _objects(text):
        parts += [text[at:start], f'{{"\ue000{len(kept)}\ue001"}}']  # stands for the object, and still looks like JSON
        kept.append(text[start:end])
        at = end
    rest = without_thoughts("".join([*parts, text[at:]]))
    return re.sub(
        r'\{"\ue000(\d{1,6})\ue001"\}', lambda mark: kept[int(mark[1])] if int(mark[1]) < len(kept) else "", rest
    )


def _objects(text: str) -> Iterator[tuple[dict[str, Any], int, int]]:
    """(object, start, end) of each whole JSON object that is not part of another one."""
    at = false_starts = 0
    while match := _OBJECT.search(text, at):
        try:
            value, at = _DECODER.raw_decode(text, match.start())
        except RecursionError:
            raise Problem("bad_json", "its objects are nested too deeply") from None
        except ValueError:  # not JSON, or a number with thousands of digits
            at = match.start() + 1
            false_starts += 1
            if false_starts > _MOST_FALSE_STARTS:
                raise Problem("bad_json", "it is not one whole JSON object") from None
        else:
            yield value, match.start(), at


def _breaks_off(text: str) -> bool:
    text = _STRING.sub("", text)
    return text.count("{") > text.count("}") or text.count("[") > text.count("]")


def _mended(text: str) -> dict[str, Any]:
    """The JSON object that was meant, if that is clear; else an empty one."""
    text = text[text.find("{") : text.rfind("}") + 1]
    if len(text) > _LONGEST_MENDED or text.count("{") > 10 * MOST_STEPS:  # mending takes quadratic time
        return {}
    try:
        value = repair_json(text, return_objects=True)
    except (ValueError, RecursionError):  # nested too deeply
        return {}
    return value if isinstance(value, dict) else {}
