"""Answers in the logs of other evaluation programs, with the marks that these give; and in scored generations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from memreason.compare.measures import Answer
from memreason.errors import UserError, did_you_mean
from memreason.evaluation.generations import MARKS, read_generations
from memreason.evaluation.judge import judge_traces
from memreason.evaluation.score import read_texts
from memreason.records import Question, one_line
from memreason.tasks.base import TaskData

Fields = Mapping[str, object]
Found = tuple[Question, Fields, Answer]
"""A question, what else is known about it, and the answer to it."""

_MARKS = {word: float(right) for word, right in MARKS.items()} | {"c": 1.0, "p": 0.5, "i": 0.0, "n": 0.0}
"""Words and Inspect's letters with which files mark an answer → how right it is; partly (P) is half."""


def read_marks(path: Path, mark: str | None = None) -> Iterator[Found]:
    """The answers in a file as the program that wrote it has marked them.

    ``mark`` is the metric or scorer that says what is right, by default the first; with several filters of
    lm-evaluation-harness it is METRIC,FILTER. Raises UserError where an answer has no such mark, or no question.
    """
    for place, row in _by_question(path):
        text = row.get("question") or row.get("doc_hash") or row.get("prompt")
        if not isinstance(text, str):
            raise UserError(
                f"{place}: no question in the row, so it cannot be paired; name its dataset with --dataset "
                "(and --data_path), and the texts are scored by memreason"
            )
        options = row.get("options")
        options = tuple(map(str, options)) if isinstance(options, list) else ()
        id_ = str(row.get("id") or row.get("doc_hash") or "")
        yield Question(id_, one_line(text), "", options), _fields(row), Answer(mark=_mark(place, row, mark))


def read_scored(path: Path, task: TaskData) -> tuple[list[Found], int]:
    """The answers in a file, scored by memreason against the questions of a task; and how many texts are about none."""
    traces, _, unmatched = read_texts(task, path)
    verdicts = judge_traces(traces, task.answer_kind, task.judge)
    return [(verdict.trace.question, {}, Answer(verdict)) for verdict in verdicts], len(unmatched)


def _by_question(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of each answer. The rows of several filters become one, which has all results as METRIC,FILTER.

    A question that comes with one filter twice has two answers.
    """
    merged: dict[tuple[str, int], tuple[str, dict[str, Any]]] = {}
    seen = Counter[tuple[str, str]]()
    for place, row in read_generations(path, need_texts=False):
        if not isinstance(row, dict):
            raise UserError(f"{place}: expected a JSON object")
        if "filter" not in row or "doc_hash" not in row:
            yield place, row
            continue
        by_filter = {f"{name},{row['filter']}": value for name, value in _results(row).items()}
        seen[about := (row["doc_hash"], row["filter"])] += 1
        _, first = merged.setdefault((row["doc_hash"], seen[about]), (place, row))
        first["results"] = {**_results(first), **by_filter}
    yield from merged.values()


def _mark(place: str, row: Mapping[str, Any], mark: str | None) -> float | None:
    value = row.get("result")
    if mark is not None:
        results = _results(row)
        if mark not in results:
            known = ", ".join(results) or "none"
            raise UserError(f"{place}: no mark {mark!r}{did_you_mean(mark, results)}; there are: {known} (--mark)")
        value = results[mark]
    if isinstance(value, bool | int | float):
        if 0 <= value <= 1:
            return float(value)
        if not math.isnan(value):
            raise UserError(f"{place}: the mark {value} is not in [0, 1]; name a metric that is, with --mark")
    return _MARKS.get(str(value).strip().lower())


def _results(row: Mapping[str, Any]) -> Mapping[str, Any]:
    found = row.get("results")
    return found if isinstance(found, Mapping) else {}


def _fields(row: Mapping[str, Any]) -> Fields:
    """What a row says beside the answer: the log's fields of the question, or the row's own."""
    known = row.get("fields")
    fields = known if isinstance(known, Mapping) else row
    return {str(name): value for name, value in fields.items() if isinstance(value, str | int | float | bool)}
