"""Answers in free text: any line is an answer, and two are equal if their words are equal. Needs no torch."""

from __future__ import annotations

from memreason.answers.latex import last_boxed
from memreason.answers.marks import announced, plain, tagged


def whole_text_line(line: str) -> str | None:
    """The line in the form in which it is compared (`plain`); None for an empty line."""
    return plain(line) or None


def find_text(text: str) -> str | None:
    """The answer that a text gives: in its last box or tag, or after its last "answer is"; else its last line."""
    marks = [last_boxed(text), tagged(text), *(line.rest for line in announced(text))]
    return plain(next(filter(None, [*marks, text.strip().rpartition("\n")[2]]), "")) or None


def equal_text(gold: str, answer: str) -> bool:
    """Whether two answers have the same words; case does not matter."""
    return plain(gold) == plain(answer)
