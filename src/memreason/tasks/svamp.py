"""SVAMP (arXiv 2103.07191): word problems that need one or two calculations, in misleading words.

The equation is the only step. The dataset was released in one file without splits; its copy on the hub has train and
test.
"""

from __future__ import annotations

from typing import Any

from memreason.tasks.assemble import Record, plain_steps
from memreason.tasks.fields import identifier, text_of
from memreason.tasks.published import Published

FORM = '{"ID": …, "Body": …, "Question": …, "Equation": "( 76.0 - 25.0 )", "Answer": 51.0}'


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A row of the released file, or of the hub: ``{ID, Body, Question, Equation, Answer}``."""
    if not {"Body", "Question", "Equation", "Answer"} <= row.keys():
        return None
    question = f"{text_of(row, 'Body')} {text_of(row, 'Question')}"
    steps = plain_steps([text_of(row, "Equation")])
    return Record(place, question, (), row["Answer"], steps, split or "train", identifier(row.get("ID"), "ID"))


load = Published("svamp", "number", "ChilleD/SVAMP", FORM, read_released).load
