"""The questions to label: from a task that memreason knows, or from any JSONL file or hub dataset.

A file is read line by line, again for each pass, so that a large file needs no memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from memreason.answers.extract import normalise_gold
from memreason.errors import UserError
from memreason.label.config import LabelConfig
from memreason.records import AnswerKind, Question, one_line
from memreason.runtime.files import check_whole_characters, listed
from memreason.runtime.reading import reading, shown
from memreason.tasks.agent_json import read_array, stem
from memreason.tasks.fields import MOST_OPTIONS, answer_of, identifier, without_letters
from memreason.tasks.registry import load_task


class QuestionAndKind(NamedTuple):
    """One question and the kind of its answer."""

    question: Question
    kind: AnswerKind


class Questions:
    """The questions to label, in a fixed order; can be iterated over any number of times.

    Raises UserError, also while iterating, for data that cannot be read.
    """

    def __init__(self, config: LabelConfig):
        self._config = config
        self._rows: list[QuestionAndKind] | None = None
        self._hub: Any = None
        if config.task:
            self._rows = _of_task(config)
        elif not str(config.input).startswith("hf://") and not Path(str(config.input)).is_file():
            raise UserError(f"--input {config.input}: no such file; a dataset on the hub is hf://owner/name")

    def __iter__(self) -> Iterator[QuestionAndKind]:
        return islice(self._all(), self._config.num_questions)

    def _all(self) -> Iterable[QuestionAndKind]:
        if self._rows is not None:
            return iter(self._rows)
        return (_read(self._config, *row) for row in self._numbered())

    def _numbered(self) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        """(place for error messages, default id, split, row) of each row of the input."""
        source = str(self._config.input)
        if not source.startswith("hf://"):
            for place, row in read_array(Path(source)):
                if self._config.split is None or row.get("split", self._config.split) == self._config.split:
                    number = re.search(r"(\d*)\]?$", place)[1]  # type: ignore[index]
                    yield place, f"{stem(Path(source))}-{number or 1}", row.get("split") or "", row
            return
        name = source.removeprefix("hf://")
        if self._hub is None:
            from memreason.tasks.hub import load_splits

            self._hub = load_splits(name, self._config.input_config)
        split = self._config.split or "train"
        if split not in self._hub:
            raise UserError(f"--split {split}: {name} has {', '.join(self._hub)}")
        for number, row in enumerate(self._hub[split]):
            yield f"{name}:{split}[{number}]", f"{name.replace('/', '-')}-{split}-{number}", split, row


def _of_task(config: LabelConfig) -> list[QuestionAndKind]:
    task = load_task(str(config.task), config.data_path)
    split = config.split or "train"
    if split not in task.splits:
        raise UserError(f"--split {split}: {task.name} has {', '.join(task.splits)}")
    return [QuestionAndKind(solution.question, task.answer_kind) for solution in task.splits[split]]


def _read(config: LabelConfig, place: str, default_id: str, split: str, row: dict[str, Any]) -> QuestionAndKind:
    for flag, column in (("question_column", config.question_column), ("answer_column", config.answer_column)):
        if column not in row:
            raise UserError(f'{place}: field "{column}" is missing; --{flag} names it (fields: {listed(row)})')
    text = row[config.question_column]
    with reading(place, "correct the row, or leave it out"):
        answer, id = answer_of(row, config.answer_column), identifier(row.get(config.id_column)) or default_id
    if not isinstance(text, str) or not text.strip():
        raise UserError(f'{place}: field "{config.question_column}" must be a non-empty text, got {shown(text)}')
    options = row.get(config.options_column) or []
    texts = isinstance(options, list) and all(isinstance(option, str) and option.strip() for option in options)
    if not texts or len(options) == 1 or len(options) > MOST_OPTIONS:
        wanted = f"a list of 2 to {MOST_OPTIONS} texts"
        raise UserError(f'{place}: field "{config.options_column}" must be {wanted}, got {shown(options)}')
    if not isinstance(split, str):
        raise UserError(f'{place}: field "split" must be a text, got {shown(split)}')
    check_whole_characters(place, " ".join((text, *options, str(answer), id, split)))
    options, _ = without_letters(options)
    question = Question(id, one_line(text), "", tuple(one_line(option) for option in options), "", split)
    kind: AnswerKind = "choice" if options else "boolean"
    gold = normalise_gold(answer, question, kind)
    if gold is None and not options:
        kind, gold = "text", normalise_gold(answer, question, "text")
    if gold is None:
        wanted = f"a letter from A to {chr(64 + len(options))}" if options else "a non-empty text"
        raise UserError(f'{place}: field "{config.answer_column}" must be {wanted}, got {shown(answer)}')
    return QuestionAndKind(Question(id, question.text, gold, question.options, "", split), kind)
