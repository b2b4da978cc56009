"""Verdicts → Metrics: the counting. Needs no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from memreason.errors import UserError
from memreason.evaluation.results import Metrics
from memreason.evaluation.statistics import wilson
from memreason.planning_tokens.names import ANSWER
from memreason.records import MEMORY, REASON, Verdict


def compute_metrics(verdicts: Iterable[Verdict]) -> Metrics:
    """The metrics of ``verdicts``; only one of them is in memory at a time. Raises UserError where there are none."""
    counter = MetricsCounter()
    for verdict in verdicts:
        counter.add(verdict)
    return counter.metrics()


class MetricsCounter:
    """Counts verdicts one by one; `metrics` can be called at any time."""

    def __init__(self) -> None:
        self._n = self._flexible = self._well_formed = self._truncated = self._judged = 0
        self._outcomes: Counter[str] = Counter()
        self._steps: Counter[str] = Counter()
        self._truths: Counter[tuple[str, bool | None]] = Counter()
        self._causes: Counter[str] = Counter()
        self._grounds: Counter[str] = Counter()
        self._fits: Counter[bool] = Counter()

    def add(self, verdict: Verdict) -> None:
        """Count one more verdict."""
        trace = verdict.trace
        self._n += 1
        self._outcomes[verdict.outcome] += 1
        self._flexible += verdict.flexible_outcome == "correct"
        self._well_formed += trace.well_formed
        self._truncated += trace.truncated
        self._steps.update(step.type for step in trace.steps)
        if verdict.step_truth is None:
            return
        self._judged += 1
        kinds = verdict.step_kinds or (None,) * len(trace.steps)
        for step, kind, truth in zip(trace.steps, kinds, verdict.step_truth, strict=False):
            self._truths[kind or step.type, truth] += 1
            if kind and step.type in (MEMORY, REASON):
                self._fits[step.type == kind] += 1
        if trace.answer is not None:
            self._truths[ANSWER, verdict.step_truth[-1]] += 1
        if verdict.outcome == "incorrect":
            self._causes[verdict.cause or "unexplained"] += 1
        if verdict.grounds:
            self._grounds[verdict.grounds] += 1

    def metrics(self) -> Metrics:
        """The metrics of all verdicts counted so far. Raises UserError where there are none."""
        if self._n == 0:
            raise UserError(
                "there are no traces to score; check the split and the limit on the number of its questions"
            )
        unjudged = Metrics(
            accuracy=self._outcomes["correct"] / self._n,
            interval=wilson(self._outcomes["correct"], self._n),
            n=self._n,
            correct=self._outcomes["correct"],
            incorrect=self._outcomes["incorrect"],
            no_answer=self._outcomes["no_answer"],
            well_formed=self._well_formed / self._n,
            truncated=self._truncated / self._n,
            flexible_accuracy=self._flexible / self._n,
            flexible_interval=wilson(self._flexible, self._n),
            steps=dict(self._steps),
        )
        if not self._judged:
            return unjudged
        return replace(
            unjudged,
            memory_true=self._share(MEMORY, True),
            memory_unreadable=self._share(MEMORY, None),
            reason_valid=self._share(REASON, True),
            reason_unreadable=self._share(REASON, None),
            answer_follows=self._share(ANSWER, True),
            errors_by_cause=dict(self._causes),
            grounds=dict(self._grounds),
            kinds={kind: self._total(kind) for kind in (MEMORY, REASON)},
            types_fit=self._fits[True] / self._fits.total() if self._fits else None,
        )

    def _share(self, type_: str, truth: bool | None) -> float | None:
        """Share of the judged steps of this type that have this truth; None where there are no such steps."""
        total = self._total(type_)
        return self._truths[type_, truth] / total if total else None

    def _total(self, type_: str) -> int:
        return sum(count for (of, _), count in self._truths.items() if of == type_)
