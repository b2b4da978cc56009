"""Traces → Verdicts → metrics, and the files that hold them. Needs no torch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memreason import processes
from memreason.answers import extract_flexible, extract_strict, outcome
from memreason.errors import UserError
from memreason.planning_tokens import PlanningTokens
from memreason.records import (
    MEMORY,
    REASON,
    Solution,
    Trace,
    Verdict,
    atomic_write,
    read_jsonl,
    verdict_from_json,
    write_json,
    write_jsonl,
)

if TYPE_CHECKING:
    from memreason.tasks import AnswerKind, Judgement


def judge_traces(
    traces: Iterable[Trace], kind: AnswerKind, judge: Callable[[Trace], Judgement] | None = None
) -> list[Verdict]:
    """Score each trace with both extractors and, where the task has one, its step judge."""
    return [_verdict(trace, kind, judge) for trace in traces]


def _verdict(trace: Trace, kind: AnswerKind, judge: Callable[[Trace], Judgement] | None) -> Verdict:
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


def metrics(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Counts and rates in [0, 1] over the verdicts, with 95% Wilson intervals of both accuracies.

    No answer counts against accuracy, and apart from wrong answers in the counts. Where a judge
    read the steps: ``memory_true`` and ``reason_valid`` are rates over all steps of that type, in
    which a step the judge could not read is not true (``…_unreadable`` says how many those are);
    ``answer_follows`` is over the traces that have an answer line. A rate over nothing is None.
    Raises UserError where there are no verdicts.
    """
    n = len(verdicts)
    if n == 0:
        raise UserError("there are no traces to score; check the split and the limit on its questions")
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    flexible = sum(verdict.flexible_outcome == "correct" for verdict in verdicts)
    result: dict[str, Any] = {
        "accuracy": outcomes["correct"] / n,
        "interval": wilson(outcomes["correct"], n),
        "n": n,
        "correct": outcomes["correct"],
        "incorrect": outcomes["incorrect"],
        "no_answer": outcomes["no_answer"],
        "well_formed": sum(verdict.trace.well_formed for verdict in verdicts) / n,
        "truncated": sum(verdict.trace.truncated for verdict in verdicts) / n,
        "flexible_accuracy": flexible / n,
        "flexible_interval": wilson(flexible, n),
        "steps": dict(Counter(step.type for verdict in verdicts for step in verdict.trace.steps)),
    }
    judged = [verdict for verdict in verdicts if verdict.step_truth is not None]
    return result | _judged_metrics(judged) if judged else result


def _judged_metrics(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    truths: dict[str, list[bool | None]] = {MEMORY: [], REASON: [], "answer": []}
    for verdict in verdicts:
        assert verdict.step_truth is not None
        for step, truth in zip(verdict.trace.steps, verdict.step_truth, strict=False):
            truths.setdefault(step.type, []).append(truth)
        if verdict.trace.answer is not None:
            truths["answer"].append(verdict.step_truth[-1])
    wrong = [verdict for verdict in verdicts if verdict.outcome == "incorrect"]
    return {
        "memory_true": _share(True, truths[MEMORY]),
        "memory_unreadable": _share(None, truths[MEMORY]),
        "reason_valid": _share(True, truths[REASON]),
        "reason_unreadable": _share(None, truths[REASON]),
        "answer_follows": _share(True, truths["answer"]),
        "errors_by_cause": dict(Counter(verdict.cause or "unexplained" for verdict in wrong)),
    }


def _share(value: bool | None, truths: list[bool | None]) -> float | None:
    return sum(truth is value for truth in truths) / len(truths) if truths else None


def wilson(successes: int, n: int) -> list[float]:
    """The 95% Wilson score interval [low, high] of a rate."""
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(method="wilson")
    return [float(interval.low), float(interval.high)]


def write_evaluation(
    folder: Path,
    verdicts: Sequence[Verdict],
    solutions: Sequence[Solution],
    *,
    layout: PlanningTokens,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write traces.jsonl, traces.txt and metrics.json (with ``extra``) into the folder; return the metrics.

    Where several processes do the same, only the main one writes.

    traces.txt is for reading: of each question the prompt, the generated solution and the
    ground-truth solution, in the given layout, with empty lines between.
    """
    result = metrics(verdicts) | (extra or {})
    if not processes.is_main():
        return result
    truths = {solution.question.id: solution for solution in solutions}
    write_jsonl(folder / "traces.jsonl", (verdict.to_json() for verdict in verdicts))
    with atomic_write(folder / "traces.txt") as file:
        for verdict in verdicts:
            question = verdict.trace.question
            solution = truths.get(question.id, Solution(question))
            truth = layout.solution_text(solution.steps, question.answer)
            prompt = layout.prompt_text(question)
            file.write(f"{prompt}\n{verdict.trace.text.strip()}\n\n{truth}\n\n{'=' * 80}\n\n")
    write_json(folder / "metrics.json", result)
    return result


def read_traces(path: Path) -> list[Verdict]:
    """Read a traces.jsonl back. Raises UserError naming file:line and the missing field."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the traces.jsonl that `memreason evaluate` wrote")
    verdicts = []
    for number, row in read_jsonl(path):
        try:
            verdicts.append(verdict_from_json(row))
        except (KeyError, TypeError) as error:
            field = error.args[0] if isinstance(error, KeyError) else json.dumps(str(error))
            raise UserError(
                f"{path}:{number}: not a trace (field {field}); give a traces.jsonl that memreason wrote"
            ) from error
    return verdicts
