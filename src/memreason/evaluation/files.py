"""The files of an evaluation: traces.jsonl, traces.txt and metrics.json, written and read. Needs no torch."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.evaluation.metrics import MetricsCounter
from memreason.evaluation.results import Metrics, Result
from memreason.models.manifest import MANIFEST
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Solution, TraceRow, Verdict, verdict_from_json
from memreason.runtime import distributed
from memreason.runtime.disk_list import DiskList
from memreason.runtime.files import (
    atomic_write,
    check_whole_characters,
    create_beside,
    json_line,
    read_jsonl,
    write_json,
)  # fmt: skip
from memreason.runtime.reading import check_fields

TRACES, TRACES_TO_READ, METRICS = "traces.jsonl", "traces.txt", "metrics.json"
EVALUATION = "evaluation"
"""The folder of a run that holds the evaluation of its test splits."""
EVALUATION_FILES = (TRACES, TRACES_TO_READ, METRICS)
"""The files that an evaluation writes into its folder."""
EXPLANATION = "explanation"
"""The folder of a run that holds what `memreason explain` found."""
FIGURES, REPORT, PARTS = "explanation.json", "report.html", "parts"
EXPLANATION_FILES = (FIGURES, REPORT, PARTS)
"""The files that `memreason explain` writes there, and the folder of those parts that cost time."""


def check_folder(folder: Path) -> None:
    """Raise UserError where an evaluation cannot be written into ``folder``, or would overwrite the files of a run.

    To be called before any question is answered.
    """
    if held := [name for name in ("config.yaml", MANIFEST) if (folder / name).exists()]:
        raise UserError(
            f"--output_dir {folder} holds a run ({held[0]}), which has a metrics.json of its own; give another folder, "
            "for example one inside it"
        )
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = create_beside(folder / METRICS)
        os.close(handle)
        name.unlink()
        if new:
            folder.rmdir()
    except OSError as error:
        raise UserError(
            f"--output_dir {folder}: cannot be written to ({error.strerror}); give another folder, or make it writable"
        ) from error


def write_traces(
    folder: Path, verdicts: Iterable[Verdict], truths: Iterable[Solution], splits: Iterable[str], layout: PlanningTokens
) -> tuple[Metrics, dict[str, Metrics]]:
    """Write traces.jsonl and traces.txt into the folder; return the metrics over all verdicts, and those of each split.

    ``truths`` and ``splits`` have the gold solution and the split of each verdict, in the same order. Only one item of
    each of the three is in memory at a time. Where several processes call this, only the main one writes. Raises
    UserError where there are no verdicts.

    traces.txt is for people. For each question it has the prompt, the generated solution and the gold solution, in the
    given layout, separated by empty lines; a ruled line below says which solution is which.
    """
    overall, by_split = MetricsCounter(), dict[str, MetricsCounter]()
    with ExitStack() as stack:
        writes = distributed.is_main()
        rows, texts = (
            stack.enter_context(atomic_write(folder / name)) if writes else None for name in (TRACES, TRACES_TO_READ)
        )
        for verdict, truth, split in zip(verdicts, truths, splits, strict=True):
            overall.add(verdict)
            by_split.setdefault(split, MetricsCounter()).add(verdict)
            if rows and texts:
                rows.write(json_line(verdict.to_json()))
                texts.write(_to_read(verdict, truth, layout))
        metrics = overall.metrics()
    return metrics, {split: counter.metrics() for split, counter in by_split.items()}


def write_result(folder: Path, result: Result) -> None:
    """Write metrics.json into the folder. Where several processes call this, only the main one writes."""
    if distributed.is_main():
        write_json(folder / METRICS, result.to_json())


def _to_read(verdict: Verdict, truth: Solution, layout: PlanningTokens) -> str:
    """One entry of traces.txt."""
    question = verdict.trace.question
    gold = layout.solution_text(truth.steps, question.answer)
    rule = f"{'=' * 80} first the model's ({verdict.outcome.replace('_', ' ')}), then the gold solution"
    return f"{layout.prompt_text(question)}\n{verdict.trace.text.strip()}\n\n{gold}\n\n{rule}\n\n"


def read_traces(path: Path) -> DiskList[Verdict]:
    """Read a traces.jsonl back. Raises UserError that names file:line and the field that is missing or wrong."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the traces.jsonl that `memreason evaluate` wrote")
    return DiskList(verdict_of_row(path, number, row) for number, row in read_jsonl(path))


def verdict_of_row(path: Path, number: int, row: dict[str, Any]) -> Verdict:
    """The verdict in a line of traces.jsonl. Raises UserError as `read_traces` does."""
    check_whole_characters(f"{path}:{number}", json.dumps(row, ensure_ascii=False))
    try:
        check_fields(TraceRow, row)
        verdict = verdict_from_json(row)
        _check_values(verdict)
        return verdict
    except (KeyError, TypeError) as error:
        field = error.args[0] if isinstance(error, KeyError) else json.dumps(str(error))
        raise UserError(
            f"{path}:{number}: not a trace (field {field}); give a traces.jsonl that memreason wrote"
        ) from error


def _check_values(verdict: Verdict) -> None:
    """Raise TypeError where the judgements are not as many as the steps, or a log-probability is none; `step_truth` and
    `step_logprobs` have one more, of the answer."""
    steps, truth, kinds = len(verdict.trace.steps), verdict.step_truth, verdict.step_kinds
    logprobs = verdict.trace.step_logprobs
    for name, given, count in (
        ("step_truth", truth, steps + 1),
        ("step_kinds", kinds, steps),
        ("step_logprobs", logprobs, steps + 1),
    ):
        if given is not None and len(given) != count:
            raise TypeError(f"{name} has {len(given)} entries, and not {count} for {steps} steps")
    if wrong := [value for value in logprobs or () if value is not None and not math.isfinite(value)]:
        raise TypeError(f"step_logprobs has {wrong[0]}, which is no log-probability")
