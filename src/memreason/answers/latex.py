"""Finding boxes and closing braces in LaTeX. Needs no torch."""

from __future__ import annotations

import re

_BOX = re.compile(r"\\(?:boxed|fbox)\s*")
_BARE = re.compile(r"(?:[^\s$.,;]|[.,](?=\d))+")
_BETWEEN = re.compile(
    r"[\s$*]*(?:\\[()\[\],;]|\\text\s*\{|\\q?quad)*[\s$*]*(?:[,;]|,?\s*(?:and|or)\b)[\s$*]*(?:also\b\s*)?"
    r"(?:\}|\\[()\[\],; ]|\\q?quad|[\s$*])*(?:[A-Za-z](?:_\{?\w\}?)?\s*=\s*)?[\s$*]*"
)
"""The text that may be between two boxes of one answer: a comma, "and" or "or", and a name, as in x=…"""
_LONGEST_BETWEEN = 80


def last_boxed(text: str) -> str | None:
    r"""The content of the last ``\boxed{…}`` (or ``\fbox{…}``, or ``\boxed 5.5``).

    None where there is no box, or where the last one is not closed.

    Boxes that are joined by a comma, "and" or "or" are one answer: ``\boxed{1} or \boxed{2}`` gives ``1, 2``.
    """
    contents: list[str] = []
    start = len(text)
    for box in reversed(list(_BOX.finditer(text))):
        inside = _inside(text, box.end())
        if inside is None:
            break
        content, end = inside
        between = text[end:start]
        if contents and (len(between) > _LONGEST_BETWEEN or not _BETWEEN.fullmatch(between)):
            break
        contents.append(content)
        start = box.start()
    return ", ".join(dict.fromkeys(reversed(contents))) if contents else None


def _inside(text: str, at: int) -> tuple[str, int] | None:
    """(content, end) of the box whose command ends at ``at``; None where its brace is not closed or nothing follows."""
    if text[at : at + 1] == "{":
        end = closing_brace(text, at)
        return None if end is None else (text[at + 1 : end].strip(), end + 1)
    bare = _BARE.match(text, at)
    return (bare[0], bare.end()) if bare else None


def closing_brace(text: str, opening: int) -> int | None:
    """The index of the brace that closes the one at ``opening``, or None. ``\\{`` and ``\\}`` do not count."""
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, opening):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.start()
    return None
