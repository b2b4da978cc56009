"""CommonsenseQA (arXiv 1811.00937): questions about everyday things, with five options.

The answers of the released test split are not public. So the released validation split is our test split, and our
validation split is taken out of train.
"""

from __future__ import annotations

import re
from itertools import pairwise
from string import ascii_uppercase
from typing import Any

from memreason.runtime.reading import shown
from memreason.tasks.assemble import Record
from memreason.tasks.fields import enough, identifier, text_of, texts_of
from memreason.tasks.published import Published

FORM = '{"question": {"stem": …, "choices": [{"label": "A", "text": …}, …]}, "answerKey": "A"}'

_MARK = re.compile(r"\bOptions\s{0,9}:\s*", re.IGNORECASE)
_LETTER = re.compile(r"(?:^|(?<=\s))([A-Z])\.\s*")


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A released row, ``{id, question: {stem, choices: [{label, text}]}, answerKey}``, or a row of the hub,
    ``{id, question, choices: {label: […], text: […]}, answerKey}``."""
    question, choices = row.get("question"), row.get("choices")
    if isinstance(question, dict):
        stem = text_of(question, "stem")
        pairs = [(text_of(choice, "label"), text_of(choice, "text")) for choice in question["choices"]]
    elif isinstance(choices, dict):
        stem = text_of(row, "question")
        pairs = list(zip(texts_of(choices, "label"), texts_of(choices, "text"), strict=True))
    else:
        return None
    labels, options = zip(*sorted(pairs), strict=True) if pairs else ((), ())
    if "".join(labels) != ascii_uppercase[: len(labels)]:
        raise ValueError(f"the choices are labelled {shown(labels)}, not A, B, C, …")
    answer = row.get("answerKey")
    if split in ("validation", "test"):
        split = "test" if answer or split == "validation" else "unanswered"
    return Record(place, stem, enough(options), answer, split=split or "train", id=identifier(row.get("id")))


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """(question without its options, the options) of a text that ends in " Options: A.… B.…".

    The letters must go from A on without a gap, each once and each with a text; else the text stays as it is, and the
    options are empty.
    """
    mark = _MARK.search(text)
    if not mark:
        return text, ()
    stem, tail = text[: mark.start()].rstrip(), text[mark.end() :]
    labels = list(_LETTER.finditer(tail))
    letters = "".join(match[1] for match in labels)
    if len(labels) < 2 or not ascii_uppercase.startswith(letters) or labels[0].start() > 0:
        return text, ()
    bounds = [(here.end(), after.start()) for here, after in pairwise(labels)] + [(labels[-1].end(), len(tail))]
    options = tuple(tail[start:end].strip() for start, end in bounds)
    return (stem, options) if stem.strip() and all(options) else (text, ())


load = Published(
    "commonsenseqa", "choice", "tau/commonsense_qa", FORM, read_released,
    stems=("randsplit", "qtokensplit"), split_options=split_options,
).load  # fmt: skip
