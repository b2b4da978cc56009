"""Traces → Verdicts: whether the answer is right and, if the dataset has a judge, the steps too. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from memreason.answers.extract import extract_flexible, extract_strict, outcome
from memreason.records import Trace, Verdict
from memreason.tasks.causes import grounds

if TYPE_CHECKING:
    from memreason.records import AnswerKind, Judgement


def judge_traces(
    traces: Iterable[Trace], kind: AnswerKind, judge: Callable[[Trace], Judgement] | None = None
) -> list[Verdict]:
    """The verdict of `judge_trace` on each trace."""
    return [judge_trace(trace, kind, judge) for trace in traces]


def judge_trace(trace: Trace, kind: AnswerKind, judge: Callable[[Trace], Judgement] | None = None) -> Verdict:
    """Score a trace with both extractors and, where the task has one, its step judge."""
    return verdict_of(trace, kind, judge(trace) if judge and not _only_planned(trace) else None)


def verdict_of(trace: Trace, kind: AnswerKind, judgement: Judgement | None) -> Verdict:
    """Score a trace with both extractors, and with what a judge found in it (None: no judge read it)."""
    if _only_planned(trace):
        judgement = None
    strict = extract_strict(trace.answer, trace.question, kind)
    flexible = extract_flexible(trace.text, trace.question, kind)
    result = outcome(strict, trace.question.answer, kind)
    return Verdict(
        trace=trace,
        strict=strict,
        flexible=flexible,
        outcome=result,
        flexible_outcome=outcome(flexible, trace.question.answer, kind),
        step_truth=judgement.step_truth if judgement else None,
        cause=judgement.cause if judgement and result == "incorrect" else None,
        step_kinds=judgement.kinds or None if judgement else None,
        grounds=judgement.grounds or grounds(judgement.step_truth) if judgement and result == "correct" else None,
    )


def _only_planned(trace: Trace) -> bool:
    """Whether all its steps are without text (--plan_only): they claim nothing that could be judged."""
    return bool(trace.steps) and not any(step.text for step in trace.steps)
