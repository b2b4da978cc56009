"""Judging traces as the options say, and measuring the judge that does it."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.evaluation.judged_by import Agreement
from memreason.explain.judges.agreement import agreement, agreement_of
from memreason.explain.judges.atlas import ExactJudge
from memreason.explain.judges.base import Judge
from memreason.explain.judges.config import JudgeConfig
from memreason.explain.judges.made_traces import made_task, made_traces
from memreason.explain.judges.registry import kind_of_judge, open_judge
from memreason.records import Judgement, Trace
from memreason.tasks.base import TaskData


def judge_traces_with(
    config: JudgeConfig, task: TaskData, traces: Sequence[Trace]
) -> tuple[list[Judgement], Agreement | None]:
    """(a judgement for each trace, how far the judge agrees with the exact one).

    Where the task has an exact judge, another judge is measured on these traces themselves; elsewhere on made atlas
    traces (`made_traces`). The agreement is None for the exact judge, and where ``config`` asks for no measurement.
    Raises UserError as `open_judge` and `Judge.judge` do, Stopped where the judge's budget is used up.
    """
    kind, judge = kind_of_judge(config), open_judge(config, task)
    if isinstance(judge, ExactJudge):
        return judge.judge(traces), None
    n = kind.measured_on if config.measure_judge is None else config.measure_judge
    if not n:
        return judge.judge(traces), None
    if task.judge is not None:
        judgements = judge.judge(traces)
        exact = ExactJudge(task.judge).judge(traces)
        return judgements, agreement_of(judge.name, judgements, exact, traces, "these traces")
    # First the measurement: it is small, and a judge that fails there need not read the rest.
    measured = measure(config, n, judge)
    return judge.judge(traces), measured


def measure(config: JudgeConfig, n: int, judge: Judge) -> Agreement:
    """Measure a judge, opened with these options, on ``n`` made atlas traces. Raises as `judge_traces_with` does."""
    task, kind = made_task(n), kind_of_judge(config)
    assert task.judge is not None
    measured = kind.for_measuring(config, task, judge) if kind.for_measuring else kind.open(config, task)
    return agreement(measured, ExactJudge(task.judge), made_traces(task), f"{n} made atlas traces")
