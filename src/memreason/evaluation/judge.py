"""Traces → Verdicts → metrics, and the files that hold them. Needs no torch."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memreason.answers.extract import extract_flexible, extract_strict, outcome
from memreason.errors import UserError
from memreason.models.manifest import MANIFEST
from memreason.planning_tokens.layout import PlanningTokens
from memreason.planning_tokens.names import ANSWER
from memreason.records import MEMORY, REASON, Solution, Trace, Verdict, verdict_from_json
from memreason.runtime import distributed
from memreason.runtime.disk_list import OnDisk
from memreason.runtime.files import atomic_write, create_beside, json_line, read_jsonl, write_json

if TYPE_CHECKING:
    from memreason.records import AnswerKind, Judgement

EVALUATION_FILES = ("traces.jsonl", "traces.txt", "metrics.json")
"""What an evaluation writes into its folder."""


def judge_traces(
    traces: Iterable[Trace], kind: AnswerKind, judge: Callable[[Trace], Judgement] | None = None
) -> list[Verdict]:
    """Score each trace by `judge_trace`."""
    return [judge_trace(trace, kind, judge) for trace in traces]


def judge_trace(trace: Trace, kind: AnswerKind, judge: Callable[[Trace], Judgement] | None = None) -> Verdict:
    """Score a trace with both extractors and, where the task has one, its step judge."""
    strict = extract_strict(trace.answer, trace.question, kind)
    flexible = extract_flexible(trace.text, trace.question, kind)
    result = outcome(strict, trace.question.answer, kind)
    planned_only = bool(trace.steps) and not any(step.text for step in trace.steps)  # which claims nothing
    judgement = judge(trace) if judge and not planned_only else None
    return Verdict(
        trace=trace,
        strict=strict,
        flexible=flexible,
        outcome=result,
        flexible_outcome=outcome(flexible, trace.question.answer, kind),
        step_truth=judgement.step_truth if judgement else None,
        cause=judgement.cause if judgement and result == "incorrect" else None,
    )


def metrics(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """Counts and rates in [0, 1] over the verdicts, with 95% Wilson intervals of both accuracies.

    No answer counts against accuracy, and apart from wrong answers in the counts. Where a judge
    read the steps: ``memory_true`` and ``reason_valid`` are rates over all steps of that type, in
    which a step the judge could not read is not true (``…_unreadable`` says how many those are);
    ``answer_follows`` is over the traces that have an answer line. A rate over nothing is None.
    Raises UserError where there are no verdicts.
    """
    counts = _Counts()
    for verdict in verdicts:
        counts.add(verdict)
    return counts.metrics()


class _Counts:
    """What the metrics need of all verdicts, so that none must be kept."""

    def __init__(self) -> None:
        self.n = self.flexible = self.well_formed = self.truncated = self.judged = 0
        self.outcomes: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.truths: Counter[tuple[str, bool | None]] = Counter()
        self.causes: Counter[str] = Counter()

    def add(self, verdict: Verdict) -> None:
        trace = verdict.trace
        self.n += 1
        self.outcomes[verdict.outcome] += 1
        self.flexible += verdict.flexible_outcome == "correct"
        self.well_formed += trace.well_formed
        self.truncated += trace.truncated
        self.steps.update(step.type for step in trace.steps)
        if verdict.step_truth is None:
            return
        self.judged += 1
        for step, truth in zip(trace.steps, verdict.step_truth, strict=False):
            self.truths[step.type, truth] += 1
        if trace.answer is not None:
            self.truths[ANSWER, verdict.step_truth[-1]] += 1
        if verdict.outcome == "incorrect":
            self.causes[verdict.cause or "unexplained"] += 1

    def metrics(self) -> dict[str, Any]:
        if self.n == 0:
            raise UserError("there are no traces to score; check the split and the limit on its questions")
        result: dict[str, Any] = {
            "accuracy": self.outcomes["correct"] / self.n,
            "interval": wilson(self.outcomes["correct"], self.n),
            "n": self.n,
            "correct": self.outcomes["correct"],
            "incorrect": self.outcomes["incorrect"],
            "no_answer": self.outcomes["no_answer"],
            "well_formed": self.well_formed / self.n,
            "truncated": self.truncated / self.n,
            "flexible_accuracy": self.flexible / self.n,
            "flexible_interval": wilson(self.flexible, self.n),
            "steps": dict(self.steps),
        }
        if not self.judged:
            return result
        return result | {
            "memory_true": self._share(MEMORY, True),
            "memory_unreadable": self._share(MEMORY, None),
            "reason_valid": self._share(REASON, True),
            "reason_unreadable": self._share(REASON, None),
            "answer_follows": self._share(ANSWER, True),
            "errors_by_cause": dict(self.causes),
        }

    def _share(self, type_: str, truth: bool | None) -> float | None:
        total = sum(count for (of, _), count in self.truths.items() if of == type_)
        return self.truths[type_, truth] / total if total else None


def wilson(successes: int, n: int) -> list[float]:
    """The 95% Wilson score interval [low, high] of a rate."""
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(method="wilson")
    return [float(interval.low), float(interval.high)]


def check_folder(folder: Path) -> None:
    """Raise UserError where no evaluation can be written into ``folder``, or where its files would take the place of
    a run's own: before anything is spent on it."""
    if held := [name for name in ("config.yaml", MANIFEST) if (folder / name).exists()]:
        raise UserError(
            f"--output_dir {folder} holds a run ({held[0]}), which has a metrics.json of its own; give another folder, "
            "one within it, say"
        )
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = create_beside(folder / "metrics.json")
        os.close(handle)
        name.unlink()
        if new:
            folder.rmdir()
    except OSError as error:
        raise UserError(
            f"--output_dir {folder}: cannot be written to ({error.strerror}); give another folder, or make it writable"
        ) from error


def write_evaluation(
    folder: Path,
    verdicts: Iterable[Verdict],
    truths: Iterable[Solution],
    *,
    layout: PlanningTokens,
    extra: dict[str, Any] | None = None,
    splits: dict[str, int] | None = None,
) -> dict[str, Any]:
    """Write traces.jsonl, traces.txt and metrics.json (with ``extra``) into the folder; return the metrics.

    ``truths`` has the ground truth of each verdict, in the same order. Of neither more than one is held at a time.
    ``splits`` says how many verdicts of each split come one after another, and adds the same metrics for each as
    `splits`. Where several processes do the same, only the main
    one writes.

    traces.txt is for reading: of each question the prompt, the generated solution and the
    ground-truth solution, in the given layout, with empty lines between, and a rule below that says which is which.
    """
    whole, of_split = _Counts(), {name: _Counts() for name in splits or ()}
    split_of = chain.from_iterable(repeat(of_split[name], count) for name, count in (splits or {}).items())
    with ExitStack() as stack:
        writes = distributed.is_main()
        rows, texts = (
            stack.enter_context(atomic_write(folder / name)) if writes else None
            for name in ("traces.jsonl", "traces.txt")
        )
        for verdict, truth in zip(verdicts, truths, strict=True):
            whole.add(verdict)
            if splits:
                next(split_of).add(verdict)
            if rows and texts:
                rows.write(json_line(verdict.to_json()))
                texts.write(_to_read(verdict, truth, layout))
        result = whole.metrics() | (extra or {})
    if splits:
        result["splits"] = {split: counts.metrics() for split, counts in of_split.items()}
    if writes:
        write_json(folder / "metrics.json", result)
    return result


def _to_read(verdict: Verdict, truth: Solution, layout: PlanningTokens) -> str:
    question = verdict.trace.question
    gold = layout.solution_text(truth.steps, question.answer)
    rule = f"{'=' * 80} first the model's ({verdict.outcome.replace('_', ' ')}), then the gold solution"
    return f"{layout.prompt_text(question)}\n{verdict.trace.text.strip()}\n\n{gold}\n\n{rule}\n\n"


def read_traces(path: Path) -> OnDisk[Verdict]:
    """Read a traces.jsonl back. Raises UserError naming file:line and the missing field."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the traces.jsonl that `memreason evaluate` wrote")
    return OnDisk(_verdict(path, number, row) for number, row in read_jsonl(path))


def _verdict(path: Path, number: int, row: dict[str, Any]) -> Verdict:
    try:
        return verdict_from_json(row)
    except (KeyError, TypeError) as error:
        field = error.args[0] if isinstance(error, KeyError) else json.dumps(str(error))
        raise UserError(
            f"{path}:{number}: not a trace (field {field}); give a traces.jsonl that memreason wrote"
        ) from error
