"""Finding things in LaTeX text. Needs no torch."""

from __future__ import annotations

import re

_BOX = re.compile(r"\\(?:boxed|fbox)\s*")


def last_boxed(text: str) -> str | None:
    """What the last ``\\boxed{…}`` holds (``\\fbox`` too, and ``\\boxed 5``); None without one that is closed."""
    for box in reversed(list(_BOX.finditer(text))):
        if text[box.end() : box.end() + 1] == "{":
            end = closing_brace(text, box.end())
            return None if end is None else text[box.end() + 1 : end].strip()
        if bare := re.match(r"[^\s$.,;]+", text[box.end() :]):
            return bare[0]
    return None


def closing_brace(text: str, opening: int) -> int | None:
    """Where the brace that opens at ``opening`` is closed; None where it is not. ``\\{`` and ``\\}`` do not count."""
    depth = 0
    for match in re.finditer(r"\\.|[{}]", text[opening:], re.DOTALL):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return opening + match.start()
    return None
