"""AQuA-RAT (arXiv 1705.04146): five-way algebra questions, each line of the rationale one step.

A last line that says which letter is right and nothing else ("Answer: B", "Hence option B") is what
our answer line says, so it is no step. Where it names another letter than the gold one, that is noted.
"""

from __future__ import annotations

import re
from typing import Any

from memreason.tasks.assemble import Record, plain_steps

FORM = '{"question": …, "options": ["A)…", "B)…", …], "rationale": "a step\\nanother step", "correct": "A"}'

_LETTER = re.compile(r"\s*\(?([A-Z])\s*[).:]\s*")
_SAYS_LETTER = re.compile(
    r"\W*(?:(?:so|hence|therefore|thus|ans|answer|the|correct|right|final|option|choice|is|will|be)\b\W*)*"
    r"\(?\b([A-E])\b\W*(?:is (?:the )?(?:correct|right)? ?(?:answer|option|choice)?)?\W*",
    re.IGNORECASE,
)


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A row of the released files, or of the hub's config raw: ``{question, options, rationale, correct}``."""
    if not isinstance(row.get("options"), list) or not isinstance(row.get("rationale"), str):
        return None
    options = tuple(_without_letter(option, chr(65 + i)) for i, option in enumerate(row["options"]))
    lines = [line for line in row["rationale"].splitlines() if line.strip()]
    said = _SAYS_LETTER.fullmatch(lines[-1]) if len(lines) > 1 else None
    blemishes = () if not said or said[1].upper() == row["correct"] else ("a rationale that ends in another letter",)
    steps = plain_steps(lines[:-1] if said else lines)
    return Record(place, row["question"], options, row["correct"], steps, split or "train", blemishes=blemishes)


def _without_letter(option: str, letter: str) -> str:
    match = _LETTER.match(option)
    return option[match.end() :].strip() if match and match[1] == letter else option.strip()
