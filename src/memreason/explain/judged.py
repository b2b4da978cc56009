"""A run's verdicts, judged again: older runs were judged by older definitions, and a judge can be chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from memreason.errors import UserError
from memreason.evaluation.judge import verdict_of
from memreason.explain.counts import by_split, causes
from memreason.explain.judges.config import JudgeConfig
from memreason.explain.judges.run import judge_traces_with
from memreason.explain.recorded import Recorded
from memreason.records import Judgement, Verdict
from memreason.tasks.base import TaskData


class Judged(NamedTuple):
    """Verdicts with what a judge found; ``judges`` as in an explanation. ``exact``: the judge is the task's own."""

    verdicts: list[Verdict]
    judges: list[dict[str, Any]]
    exact: bool


def judged(verdicts: Sequence[Verdict], task: TaskData | None, config: JudgeConfig) -> Judged:
    """The verdicts as a judge finds them now: the one that the options name, or the task's own; without any, they stay
    as recorded. Outcomes always do.

    Raises UserError where the judge that the options name cannot judge this task.
    """
    if config.judge is None and (task is None or task.judge is None):
        return Judged(list(verdicts), [], False)
    if task is None:
        raise UserError(f"--judge {config.judge}: the dataset cannot be loaded, so no judge can read these traces")
    judgements, measured = judge_traces_with(config, task, [verdict.trace for verdict in verdicts])
    name = config.judge or "atlas"
    found = [_with(verdict, judgement, task) for verdict, judgement in zip(verdicts, judgements, strict=True)]
    row = {"name": name, "agreement": measured.to_json() if measured else None}
    return Judged(found, [row], config.judge in (None, "atlas"))


def _with(verdict: Verdict, judgement: Judgement, task: TaskData) -> Verdict:
    again = verdict_of(verdict.trace, task.answer_kind, judgement)
    return replace(
        verdict,
        step_truth=again.step_truth,
        step_kinds=again.step_kinds,
        cause=again.cause if verdict.outcome == "incorrect" else None,
        grounds=again.grounds if verdict.outcome == "correct" else None,
    )


def difference_from_metrics(run: Recorded, verdicts: Iterable[Verdict]) -> list[str]:
    """What to say where the causes of errors are not those that the run's metrics count."""
    for split, some in by_split(verdicts).items():
        recorded = run.after_metrics.splits[split].errors_by_cause
        if recorded is not None and recorded != causes(some):
            return [
                "the causes of errors are judged again, by the definitions of this version and the judge named here, "
                "and differ from those that the run's metrics count"
            ]
    return []
