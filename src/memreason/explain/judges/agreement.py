"""How far a judge can be trusted: what it says beside what the exact judge of atlas says, for each kind of step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from memreason.evaluation.judged_by import Agreement, OfKind
from memreason.evaluation.statistics import cohens_kappa
from memreason.explain.judges.base import Judge
from memreason.explain.judges.coarse import says
from memreason.planning_tokens.names import ANSWER
from memreason.records import Judgement, Trace

_NAMES = {True: "true", False: "false", None: "unverifiable"}


def agreement(judge: Judge, exact: Judge, traces: Sequence[Trace], on: str = "atlas traces") -> Agreement:
    """Let both judges read the traces, and compare them; ``on`` says in words which traces these are."""
    return agreement_of(judge.name, judge.judge(traces), exact.judge(traces), traces, on)


def agreement_of(
    name: str, judgements: Sequence[Judgement], exact: Sequence[Judgement], traces: Sequence[Trace], on: str
) -> Agreement:
    """Compare judgements that are there already. Steps that the exact judge cannot judge are left out."""
    counts: dict[str, Counter[tuple[bool, bool | None]]] = {}
    for trace, ours, right in zip(traces, judgements, exact, strict=True):
        known = right.kinds or (None,) * len(trace.steps)
        kinds = [says(step.type, kind) for step, kind in zip(trace.steps, known, strict=True)]
        for kind, truth, said in zip((*kinds, ANSWER), right.step_truth, ours.step_truth, strict=True):
            if truth is not None:
                counts.setdefault(kind, Counter())[truth, said] += 1
    causes = [(ours.cause, right.cause) for ours, right in zip(judgements, exact, strict=True) if right.cause]
    same = sum(our_cause == cause for our_cause, cause in causes) / len(causes) if causes else None
    by_kind = {kind: of_kind(counts[kind]) for kind in sorted(counts, key=_order)}
    return Agreement(name, on, len(traces), by_kind, len(causes), same)


def of_kind(counts: Counter[tuple[bool, bool | None]]) -> OfKind:
    """The figures from counts of (what is so, what the judge says)."""
    hits, alarms = counts[False, False], counts[True, False]
    false = sum(count for (truth, _), count in counts.items() if not truth)
    unverifiable = counts[True, None] + counts[False, None]
    n = counts.total()
    return OfKind(
        n=n,
        unverifiable=unverifiable / n,
        precision=hits / (hits + alarms) if hits + alarms else None,
        recall=hits / false if false else None,
        kappa=cohens_kappa([pair for pair in counts.elements() if pair[1] is not None]),
        counts={_NAMES[truth]: {_NAMES[said]: counts[truth, said] for said in _NAMES} for truth in (True, False)},
    )


def _order(kind: str) -> int:
    return ("memory", "reason", ANSWER).index(kind)
