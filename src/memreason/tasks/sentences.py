"""Splitting prose, with or without LaTeX in it, into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OPENING = re.compile(r"\$\$|\$|\\\[|\\\(|\[asy\]|\\begin\{(?P<name>\w+\*?)\}|\\\$")
"""Openings of formulas, drawings and environments: no sentence ends inside these. One that is never closed reaches to
the end of the text."""
_CLOSING = {"$$": "$$", "\\[": "\\]", "\\(": "\\)", "[asy]": "[/asy]"}
_FORMULA = re.compile(r"\$(?:\\.|[^\\$])*\$", re.DOTALL)
_LOOK_BACK = 80
"""How many characters before a gap decide whether a sentence ends there."""
_GAP = re.compile(r"\s+")
_ENDS = re.compile(r"(?:[.!?](?:[\"'”’)\]}*]|\$|\\\]|\\\)|\\end\{\w+\*?\}|\s)*|\[/asy\])$")
_BEGINS = re.compile(r"[\"'“‘(*]*[A-Z0-9]|\([a-z]\)|[\"'“‘(]*(?:\$|\\\[|\\\(|\\begin|\[asy\])|\\(?:text|boxed|frac)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(.])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Mt|Jr|Sr|Gen|Col|Sgt|Capt|Lt|Rev|Sen|Gov|Pres|vs|etc|cf|approx|"
    r"ca?|e\.g|i\.e|[Ff]igs?|[Ee]qs?|[Tt]hms?)\.$"
)
_NUMBERING = re.compile(r"\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{2,4})[.)]")


def sentences(text: str) -> list[str]:
    """The sentences of a text, each stripped. Joined by white space, they give the text again.

    A sentence ends at a full stop, question mark or exclamation mark (a closing quote, bracket or dollar sign may
    follow), if white space comes next, and then something that can begin a sentence: a capital letter, a digit or a
    formula. A sentence never ends inside a formula, environment or drawing, nor after an abbreviation, an initial, or
    a numbering such as "1.".
    """
    spans = iter(_spans(text))
    begin, end = next(spans, (0, 0))
    complete: list[str] = []
    start = 0
    for gap in _GAP.finditer(text):
        while end <= gap.start() and end:
            begin, end = next(spans, (0, 0))
        if begin < gap.start() < end:
            continue
        # Only the last few characters are searched: to search the whole sentence at each gap takes quadratic time.
        before = text[max(start, gap.start() - _LOOK_BACK) : gap.start()].strip()
        numbering = gap.start() - start < _LOOK_BACK and _NUMBERING.fullmatch(before)
        ends = _ENDS.search(before) and not _ABBREVIATION.search(before) and not numbering
        if ends and _BEGINS.match(text, gap.end()):
            complete.append(text[start : gap.start()].strip())
            start = gap.end()
    return [*complete, last] if (last := text[start:].strip()) else complete


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of every formula, drawing and environment; environments may be nested."""
    missing: set[str] = set()  # closings that do not occur in the rest of the text
    position = 0
    while match := _OPENING.search(text, position):
        start, opening = match.start(), match[0]
        end = -1
        if match["name"]:
            end = _environment_end(text, match)
        elif opening == "\\$":
            end = match.end()
        elif (closing := _CLOSING.get(opening)) and closing not in missing:
            close = text.find(closing, match.end())
            end = close + len(closing) if close >= 0 else -1
            if close < 0:
                missing.add(closing)
        if end < 0 and opening in ("$", "$$") and (formula := _FORMULA.match(text, start)):
            end = formula.end()
        if end < 0:
            position = start + 1
            continue
        yield start, end
        position = end


def _environment_end(text: str, opening: re.Match[str]) -> int:
    depth = 1
    for mark in re.compile(rf"\\(begin|end)\{{{re.escape(opening['name'])}\}}").finditer(text, opening.end()):
        depth += 1 if mark[1] == "begin" else -1
        if depth == 0:
            return mark.end()
    return len(text)
