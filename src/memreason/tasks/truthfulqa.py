"""TruthfulQA (arXiv 2109.07958), single-choice form (mc1): one true answer among common misconceptions."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from typing import Any

from memreason.runtime.reading import shown
from memreason.tasks.assemble import Record
from memreason.tasks.fields import enough, text_of, texts_of
from memreason.tasks.published import Published

FORM = '{"question": …, "mc1_targets": {"choices": […], "labels": [1, 0, …]}}'

# " B. " after the end of a sentence; the initials of "George W. Bush" and "J. K. Rowling" are not.
_LETTER = re.compile(r"(?<=[.?!:\"'”’)]) ([A-Z])\.(?= )")
_MARK = re.compile(r"\bOptions:$")


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A row of the hub: ``{question, mc1_targets: {choices: […], labels: [1, 0, …]}}``.

    Or of the authors' mc_task.json, where mc1_targets is ``{text: 1 or 0}``, or of their TruthfulQA.csv, with the
    columns Question, Best Answer and Incorrect Answers (which semicolons part). The right choice comes first in
    the first and the last, so the choices are shuffled, by the question alone:
    the same order on every machine. Its only split, validation, is our test split.
    """
    if {"Question", "Best Answer", "Incorrect Answers"} <= row.keys():
        question, best = text_of(row, "Question"), text_of(row, "Best Answer").strip()
        wrong = (part.strip() for part in text_of(row, "Incorrect Answers").split(";"))
        pairs = [(best, 1), *((part, 0) for part in dict.fromkeys(wrong) if part not in ("", best))]
        split = split or "test"
    elif isinstance(row.get("mc1_targets"), dict):
        question, targets = text_of(row, "question"), row["mc1_targets"]
        if targets.keys() == {"choices", "labels"} and isinstance(targets["choices"], list):
            pairs = list(zip(texts_of(targets, "choices"), targets["labels"], strict=True))
        else:
            pairs = list(targets.items())
            split = split or "test"
    else:
        return None
    if any(label not in (0, 1) for _, label in pairs):
        raise ValueError(f"labels must be 0 or 1, got {shown([label for _, label in pairs])}")
    random.Random(question).shuffle(pairs)
    right = [i for i, (_, label) in enumerate(pairs) if label]
    options = enough([choice for choice, _ in pairs])
    answer = chr(65 + right[0]) if len(right) == 1 else ""
    split = "test" if split == "validation" else split or "train"
    return Record(place, question, options, answer, split=split)


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
    stem = text[: found[0].start()]
    return (_MARK.sub("", stem).rstrip() if _MARK.search(stem) else stem, options) if all(options) else (text, ())


load = Published(
    "truthfulqa", "choice", "truthfulqa/truthful_qa", FORM, read_released,
    hub_configs=("multiple_choice",), stems=("mctask",), split_options=split_options,
).load  # fmt: skip
