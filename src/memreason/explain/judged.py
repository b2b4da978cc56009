"""A run's verdicts, judged again: older runs were judged by older definitions, and a judge can be chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from memreason.evaluation.judge import judge_trace
from memreason.explain.counts import by_split, causes
from memreason.explain.recorded import Recorded
from memreason.records import Verdict
from memreason.tasks.base import TaskData


def judged(verdicts: Iterable[Verdict], task: TaskData | None) -> list[Verdict]:
    """The verdicts as the task's judge finds them now; unchanged where there is none. Outcomes stay as recorded."""
    if task is None or task.judge is None:
        return list(verdicts)
    found = []
    for verdict in verdicts:
        again = judge_trace(verdict.trace, task.answer_kind, task.judge)
        found.append(
            replace(
                verdict,
                step_truth=again.step_truth,
                step_kinds=again.step_kinds,
                cause=again.cause if verdict.outcome == "incorrect" else None,
                grounds=again.grounds if verdict.outcome == "correct" else None,
            )
        )
    return found


def difference_from_metrics(run: Recorded, verdicts: Iterable[Verdict]) -> list[str]:
    """What to say where the causes of errors are not those that the run's metrics count."""
    for split, some in by_split(verdicts).items():
        recorded = run.after_metrics.splits[split].errors_by_cause
        if recorded is not None and recorded != causes(some):
            return [
                "the causes of errors are judged again by the definitions of this version, and differ from those that "
                "the run's metrics count"
            ]
    return []
