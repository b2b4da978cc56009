"""Answers in free text: any line is one, and two are equal where their words are. Needs no torch."""

from __future__ import annotations

from memreason.answers.latex import last_boxed
from memreason.answers.marks import announced, plain, tagged


def whole_text_line(line: str) -> str | None:
    """The line as it is compared; None for an empty one."""
    return plain(line) or None


def find_text(text: str) -> str | None:
    """The answer that a text gives: in its last box or tag, after "answer is", else its last line."""
    marks = [last_boxed(text), tagged(text), *(line.rest for line in announced(text))]
    return plain(next(filter(None, [*marks, text.strip().rpartition("\n")[2]]), "")) or None


def equal_text(gold: str, answer: str) -> bool:
    """Whether two answers have the same words, whatever their case."""
    return plain(gold) == plain(answer)
