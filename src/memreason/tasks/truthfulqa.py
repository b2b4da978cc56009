"""TruthfulQA (arXiv 2109.07958) in its single-choice form (mc1): one true answer among common misconceptions."""

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

# " B. " after the end of a sentence; initials, as in "George W. Bush" and "J. K. Rowling", do not match.
_LETTER = re.compile(r"(?<=[.?!:\"'”’)]) ([A-Z])\.(?= )")
_MARK = re.compile(r"\bOptions:$")


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A row in one of three forms.

    - On the hub: ``{question, mc1_targets: {choices: […], labels: [1, 0, …]}}``.
    - In the authors' mc_task.json, where mc1_targets is ``{text: 1 or 0}``.
    - In the authors' TruthfulQA.csv, with the columns Question, Best Answer and Incorrect Answers (separated by
      semicolons).

    In the first and the last form the right choice always comes first, so the choices are shuffled. The order depends
    only on the question, so it is the same on every machine. The only split, validation, is our test split.
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
    """(question without its options, the options) of a text that ends in " A. … B. …" or " Options: A. … B. …".

    The letters must go from A on without a gap, each after the end of a sentence and none twice; else the text stays
    as it is, and the options are empty.
    """
    labels: list[re.Match[str]] = []
    for match in _LETTER.finditer(text):
        expected = chr(65 + len(labels))
        if match[1] < expected:
            return text, ()
        if match[1] == expected:
            labels.append(match)
    if len(labels) < 2:
        return text, ()
    bounds = [(here.end(), after.start()) for here, after in pairwise(labels)] + [(labels[-1].end(), len(text))]
    options = tuple(text[start:end].strip() for start, end in bounds)
    stem = text[: labels[0].start()]
    return (_MARK.sub("", stem).rstrip() if _MARK.search(stem) else stem, options) if all(options) else (text, ())


load = Published(
    "truthfulqa", "choice", "truthfulqa/truthful_qa", FORM, read_released,
    hub_configs=("multiple_choice",), stems=("mctask",), split_options=split_options,
).load  # fmt: skip
