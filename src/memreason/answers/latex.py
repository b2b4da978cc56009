"""Finding things in LaTeX text. Needs no torch."""

from __future__ import annotations

import re

_BOX = re.compile(r"\\(?:boxed|fbox)\s*")
_BARE = re.compile(r"(?:[^\s$.,;]|[.,](?=\d))+")
_BETWEEN = re.compile(
    r"[\s$*]*(?:\\[()\[\],;]|\\text\s*\{|\\q?quad)*[\s$*]*(?:[,;]|,?\s*(?:and|or)\b)[\s$*]*(?:also\b\s*)?"
    r"(?:\}|\\[()\[\],; ]|\\q?quad|[\s$*])*(?:[A-Za-z](?:_\{?\w\}?)?\s*=\s*)?[\s$*]*"
)
"""What may stand between two boxes that are one answer: a comma, "and", "or", and a name, as in x=…"""
_LONGEST_BETWEEN = 80


def last_boxed(text: str) -> str | None:
    r"""What the last ``\boxed{…}`` holds (``\fbox`` too, and ``\boxed 5.5``); None without one that is closed.

    Boxes that are joined by a comma, "and" or "or" are one answer: ``\boxed{1} or \boxed{2}`` gives ``1, 2``.
    """
    found: list[str] = []
    start = len(text)
    for box in reversed(list(_BOX.finditer(text))):
        inside = _inside(text, box.end())
        if inside is None:
            break
        said, end = inside
        between = text[end:start]
        if found and (len(between) > _LONGEST_BETWEEN or not _BETWEEN.fullmatch(between)):
            break
        found.append(said)
        start = box.start()
    return ", ".join(dict.fromkeys(reversed(found))) if found else None


def _inside(text: str, at: int) -> tuple[str, int] | None:
    """What a box holds whose command ends at ``at``, and where it ends."""
    if text[at : at + 1] == "{":
        end = closing_brace(text, at)
        return None if end is None else (text[at + 1 : end].strip(), end + 1)
    bare = _BARE.match(text, at)
    return (bare[0], bare.end()) if bare else None


def closing_brace(text: str, opening: int) -> int | None:
    """Where the brace that opens at ``opening`` is closed; None where it is not. ``\\{`` and ``\\}`` do not count."""
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, opening):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.start()
    return None
