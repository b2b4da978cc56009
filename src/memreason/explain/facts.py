"""Which facts are recalled wrongly again and again, and what is said instead. Needs no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from memreason.records import MEMORY, Verdict, one_line
from memreason.tasks.base import StatedFact

Reader = Callable[[str], Sequence[StatedFact]]


@dataclass
class _Fact:
    true: str | None
    n: int = 0
    false: int = 0
    said: Counter[str] = field(default_factory=Counter)
    traces: list[str] = field(default_factory=list)


def facts(verdicts: Iterable[Verdict], read: Reader | None) -> list[dict[str, Any]]:
    """`facts` of an explanation: every fact that a memory step recalls and that could be judged.

    The fact that is false most often comes first. Where nothing can ``read`` facts from sentences, each different
    sentence is a fact of its own, and its true value is not known. ``said`` has the values said, and how often each;
    ``traces`` the ids of the questions in whose traces it was false.
    """
    found: dict[str, _Fact] = {}
    for verdict in verdicts:
        for stated in _stated(verdict, read):
            fact = found.setdefault(stated.name, _Fact(stated.true))
            fact.n += 1
            fact.said[stated.value] += 1
            if not stated.holds:
                fact.false += 1
                if (id := verdict.trace.question.id) not in fact.traces:
                    fact.traces.append(id)
    ordered = sorted(found.items(), key=lambda item: (-item[1].false, item[1].n, item[0]))
    return [
        {
            "fact": name,
            "true": fact.true,
            "n": fact.n,
            "false": fact.false,
            "said": dict(fact.said.most_common()),
            "traces": fact.traces,
        }
        for name, fact in ordered
    ]


def _stated(verdict: Verdict, read: Reader | None) -> Iterator[StatedFact]:
    """The facts in the memory steps of a trace of which is known whether they are true."""
    for step, kind, truth in zip(verdict.trace.steps, kinds_of(verdict), verdict.step_truth or (), strict=False):
        if kind != MEMORY or truth is None:
            continue
        text = one_line(step.text)
        yield from (
            (fact for fact in read(step.text) if fact.holds is not None)
            if read
            else [StatedFact(text, text, None, truth)]
        )


def kinds_of(verdict: Verdict) -> Sequence[str | None]:
    """What each step says, where a judge read that; else what its type promises."""
    return [step.type for step in verdict.trace.steps] if verdict.step_kinds is None else verdict.step_kinds
