"""AQuA-RAT (arXiv 1705.04146): algebra questions with five options; each line of the rationale is one step.

A last line that only says which letter is right ("Answer: B", "Hence option B", or "Answer: B) 20%" where 20% is that
option) is not a step, because our answer line says the same. If it names another letter than the gold answer, this
is noted.
"""

from __future__ import annotations

import re
from typing import Any

from memreason.tasks.assemble import Record, plain_steps
from memreason.tasks.fields import enough, text_of, texts_of
from memreason.tasks.published import Published

FORM = '{"question": …, "options": ["A)…", "B)…", …], "rationale": "a step\\nanother step", "correct": "A"}'

LONGEST_LAST_LINE = 200
"""Most characters of a last line that only gives the answer."""
_LETTER = re.compile(r"\s*\(?([A-Z])\s*[).:]\s*")
_WORD = r"(?:(?:so|hence|therefore|thus|ans|answer|the|correct|right|final|option|choice|is|will|be)\b\W*)"
_SAYS_LETTER = re.compile(
    rf"\W*{_WORD}*\(?\b([A-E])\b\W*(?:\bis (?:the )?(?:correct|right)? ?(?:answer|option|choice)?\W*)?", re.IGNORECASE
)
_SAYS_OPTION = re.compile(rf"\W*{_WORD}+\(?\b([A-E])\b\s*[).:,-]*\s*(?=\S)", re.IGNORECASE)
_ANNOUNCES = re.compile(rf"\W*{_WORD}+", re.IGNORECASE)
_UNIT = re.compile(r"\W*[^\W\d]*\W*(?:is (?:the )?(?:correct|right)? ?(?:answer|option|choice)?\W*)?", re.IGNORECASE)


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A row of the released files, or of the config "raw" on the hub: ``{question, options, rationale, correct}``."""
    if not isinstance(row.get("options"), list) or not isinstance(row.get("rationale"), str):
        return None
    options = enough([_without_letter(option, chr(65 + i)) for i, option in enumerate(texts_of(row, "options"))])
    lines = [line for line in row["rationale"].splitlines() if line.strip()]
    letter = None
    while len(lines) > 1 and (stated := _stated_letter(lines[-1], options)):
        letter = letter or stated
        lines.pop()
        if len(lines) > 1 and len(lines[-1]) <= LONGEST_LAST_LINE and _ANNOUNCES.fullmatch(lines[-1]):
            lines.pop()
    blemishes = () if letter in (None, row["correct"]) else ("a rationale that ends in another letter",)
    return Record(
        place,
        text_of(row, "question"),
        options,
        row["correct"],
        plain_steps(lines),
        split or "train",
        blemishes=blemishes,
    )


def _stated_letter(line: str, options: tuple[str, ...]) -> str | None:
    """The letter that a line gives as the answer, alone or followed by its option's text and a unit; else None."""
    if len(line) > LONGEST_LAST_LINE:
        return None
    if match := _SAYS_LETTER.fullmatch(line):
        return match[1].upper()
    if match := _SAYS_OPTION.match(line):
        letter = match[1].upper()
        option, rest = (" ".join(part.split()).casefold() for part in (_of(options, letter), line[match.end() :]))
        if option and rest.startswith(option) and _UNIT.fullmatch(rest, len(option)):
            return letter
    return None


def _of(options: tuple[str, ...], letter: str) -> str:
    number = ord(letter) - 65
    return options[number] if number < len(options) else ""


def _without_letter(option: str, letter: str) -> str:
    match = _LETTER.match(option)
    return option[match.end() :].strip() if match and match[1] == letter else option.strip()


load = Published("aqua", "choice", "deepmind/aqua_rat", FORM, read_released, ("raw",)).load
