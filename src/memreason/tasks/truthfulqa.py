"""TruthfulQA (arXiv 2109.07958), single-choice form (mc1): one true answer among common misconceptions."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from typing import Any

from memreason.tasks.assemble import Record

FORM = '{"question": …, "mc1_targets": {"choices": […], "labels": [1, 0, …]}}'

# " B. " after the end of a sentence; the initials of "George W. Bush" and "J. K. Rowling" are not.
_LETTER = re.compile(r"(?<=[.?!:\"'”’)]) ([A-Z])\.(?= )")
_MARK = re.compile(r"\s*\bOptions:$")


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A row of the hub: ``{question, mc1_targets: {choices: […], labels: [1, 0, …]}}``.

    The right choice always comes first there, so the choices are shuffled, by the question alone:
    the same order on every machine. Its only split, validation, is our test split.
    """
    targets = row.get("mc1_targets")
    if not isinstance(targets, dict):
        return None
    pairs = list(zip(targets["choices"], targets["labels"], strict=True))
    random.Random(row["question"]).shuffle(pairs)
    right = [i for i, (_, label) in enumerate(pairs) if label]
    answer = chr(65 + right[0]) if len(right) == 1 else ""
    split = "test" if split == "validation" else split or "train"
    return Record(place, row["question"], tuple(text.strip() for text, _ in pairs), answer, split=split)


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """Take "… A. … B. …", or "… Options: A. …", off the question; the text as it is where that does not read cleanly.

    Clean means: letters from A on without a gap, each after the end of a sentence, none twice.
    """
    found: list[re.Match[str]] = []
    for match in _LETTER.finditer(text):
        expected = chr(65 + len(found))
        if match[1] < expected:
            return text, ()
        if match[1] == expected:
            found.append(match)
    if len(found) < 2:
        return text, ()
    bounds = [(here.end(), after.start()) for here, after in pairwise(found)] + [(found[-1].end(), len(text))]
    options = tuple(text[start:end].strip() for start, end in bounds)
    return (_MARK.sub("", text[: found[0].start()]), options) if all(options) else (text, ())
