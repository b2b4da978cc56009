"""Prose, with or without LaTeX in it, into sentences."""

from __future__ import annotations

import re

_WHOLE = re.compile(
    r"""\$\$.*?\$\$ | \$(?:\\.|[^\\$])*\$ | \\\[.*?\\\] | \\\(.*?\\\) | \[asy\].*?\[/asy\]
      | (?P<open>\\begin\{(?P<name>\w+\*?)\}) | \\\$""",
    re.DOTALL | re.VERBOSE,
)
"""What no sentence ends inside of: formulas, drawings, environments (from their opening on)."""
_GAP = re.compile(r"\s+")
_ENDS = re.compile(r"(?:[.!?](?:[\"'”’)\]}*]|\$|\\\]|\\\)|\\end\{\w+\*?\}|\s)*|\[/asy\])$")
_BEGINS = re.compile(r"[\"'“‘(*]*[A-Z0-9]|\([a-z]\)|[\"'“‘(]*(?:\$|\\\[|\\\(|\\begin|\[asy\])|\\(?:text|boxed|frac)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(.])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Mt|Jr|Sr|Gen|Col|Sgt|Capt|Lt|Rev|Sen|Gov|Pres|vs|etc|cf|approx|"
    r"ca?|e\.g|i\.e|[Ff]igs?|[Ee]qs?|[Tt]hms?)\.$"
)
_NUMBERING = re.compile(r"\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{2,4})[.)]")


def sentences(text: str) -> list[str]:
    """The sentences of a text, each stripped; put together with white space they are the text.

    One ends at a full stop, question or exclamation mark (a closing quote, bracket or dollar sign
    may follow) before white space and what can open a sentence: a capital letter, a digit, a
    formula. None ends inside a formula, environment or drawing, after an abbreviation or an
    initial, or after a numbering such as "1.".
    """
    inside = _spans(text)
    found: list[str] = []
    start = 0
    for gap in _GAP.finditer(text):
        if any(begin < gap.start() < end for begin, end in inside):
            continue
        before = text[start : gap.start()].strip()
        ends = _ENDS.search(before) and not _ABBREVIATION.search(before) and not _NUMBERING.fullmatch(before)
        if ends and _BEGINS.match(text, gap.end()):
            found.append(before)
            start = gap.end()
    return [*found, last] if (last := text[start:].strip()) else found


def _spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of every formula, drawing and environment; environments may lie inside one another."""
    found = []
    position = 0
    while match := _WHOLE.search(text, position):
        position = _environment_end(text, match) if match["open"] else match.end()
        found.append((match.start(), position))
    return found


def _environment_end(text: str, opening: re.Match[str]) -> int:
    depth = 1
    for mark in re.finditer(rf"\\(begin|end)\{{{re.escape(opening['name'])}\}}", text[opening.end() :]):
        depth += 1 if mark[1] == "begin" else -1
        if depth == 0:
            return opening.end() + mark.end()
    return len(text)
