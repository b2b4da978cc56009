"""Marks that parsing does not read as text, where ordinary tokens spell them: `<x_1>`, `</think>`, `Thinking process:`.

They are what `without_thoughts` finds, and the names of planning tokens. Whether a text has one is left to that
function and to these names; what stands here says when it is worth while to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from memreason.answers.thoughts import without_thoughts

_CHANNEL, _CHANNEL_BEGUN = "assistantfinal", "assistant"
"""A mark that consists of letters only (the text before it counts as thoughts), and its first part. A text that ends in
this part, or in more, is watched; so a piece must be looked at if it completes the mark after less than this part."""
_BEFORE_LAST = len(_CHANNEL) - 1
COMPLETES = re.compile(
    rf"[>\]▷]|{_CHANNEL}|\A(?:{'|'.join(_CHANNEL[begun:] for begun in range(1, len(_CHANNEL_BEGUN)))})"
)
"""What is in a piece of text that can complete a mark, unless the text before it is watched."""
_OPENED = re.compile(r"<[^<>\s]*\s*|\[[^\[\]\s]*|◁\S*")
"""A mark that can still be completed."""
_HEADING_BEGUN = re.compile(r"[\s*#_>]*(?:h(?:e(?:r.{0,30})?)?|t(?:h(?:[io].{0,30})?)?|a(?:[ns].{0,20})?)?[*_ ]*", re.I)


def watched(text: str) -> bool:
    """Whether more pieces than `COMPLETES` finds can complete a mark after ``text``."""
    return _CHANNEL_BEGUN in text[-_BEFORE_LAST:]


def can_become_heading(text: str) -> bool:
    """Whether a whole ``text`` can become the heading of thoughts, which only stands at the start of a text."""
    return _HEADING_BEGUN.fullmatch(text) is not None


def open_mark(text: str, since: int) -> str:
    """The end of ``text``, from a sign on that can still become a mark; empty where there is none from ``since`` on."""
    for sign in "<[◁":
        at = text.rfind(sign, since)
        if at >= 0 and _OPENED.fullmatch(text, at):
            return text[at:]
    return ""


def channel_begun(text: str) -> int:
    """How many letters of the mark that consists of letters the text ends in."""
    return next((count for count in range(_BEFORE_LAST, 0, -1) if text.endswith(_CHANNEL[:count])), 0)


def what_counts(text: str, since: int) -> str:
    """The end of ``text`` that decides whether what comes next completes a mark, with a letter before it."""
    signs = [at for sign in "<[◁" if (at := text.rfind(sign, since)) >= 0]
    return "x" + text[min([*signs, max(since, len(text) - _BEFORE_LAST)]) :]


def has_mark(text: str, names: Iterable[str]) -> bool:
    """Whether ``text`` has a mark, or one of the ``names`` of planning tokens."""
    if "<|channel>" in text.lower() or any(name in text for name in names):
        return True
    return without_thoughts(text) != text
