"""The exact judge: the program that comes with a dataset whose facts and rules are tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memreason.records import Judgement, Trace


class ExactJudge:
    """Judges with the task's own judge (`TaskData.judge`)."""

    name = "atlas"

    def __init__(self, judge_one: Callable[[Trace], Judgement]):
        self._judge_one = judge_one

    def judge(self, traces: Sequence[Trace]) -> list[Judgement]:
        """The judgement of the task's judge on each trace."""
        return [self._judge_one(trace) for trace in traces]
