"""`traces` of an explanation: everything known about each trace of the test splits. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memreason.records import Verdict
from memreason.tasks.atlas.about import family_of


def trace_rows(
    verdicts: Sequence[Verdict], before: Mapping[str, Verdict], extra: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """One row for each trace. ``before`` has the verdicts on the base model; ``extra``: name of a field → id of the
    question → what belongs to its trace."""
    return [_row(verdict, before.get(verdict.trace.question.id), extra) for verdict in verdicts]


def _row(verdict: Verdict, was: Verdict | None, extra: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    trace, question = verdict.trace, verdict.trace.question
    count = len(trace.steps)
    kinds, truth, logprobs = (
        [*(values or ()), *([None] * (count + 1))][: count + 1]
        for values in (verdict.step_kinds, verdict.step_truth, trace.step_logprobs)
    )
    return {
        "id": question.id,
        "split": question.split,
        "family": family_of(question),
        "question": question.text,
        "options": list(question.options),
        "gold": question.answer,
        "answer": trace.answer,
        "outcome": verdict.outcome,
        "cause": verdict.cause,
        "grounds": verdict.grounds,
        "well_formed": trace.well_formed,
        "truncated": trace.truncated,
        "steps": [
            {"type": step.type, "text": step.text, "kind": kinds[i], "truth": truth[i], "logprob": logprobs[i]}
            for i, step in enumerate(trace.steps)
        ],
        "answer_truth": truth[count],
        "answer_logprob": logprobs[count],
        "first_wrong": next((i for i in range(count + 1) if truth[i] is False), None),
        "before": {"answer": was.trace.answer, "outcome": was.outcome} if was else None,
        **{name: values.get(question.id) for name, values in extra.items()},
    }
