"""Which facts are recalled wrongly again and again, and what is said instead. Needs no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from memreason.records import MEMORY, Verdict, one_line
from memreason.tasks.base import StatedFact

Reader = Callable[[str], StatedFact | None]


@dataclass
class _Fact:
    true: str | None
    n: int = 0
    false: int = 0
    said: Counter[str] = field(default_factory=Counter)
    traces: list[str] = field(default_factory=list)


def facts(verdicts: Iterable[Verdict], read: Reader | None) -> list[dict[str, Any]]:
    """`facts` of an explanation: every fact that a memory step recalls and a judge could read.

    The fact that is false most often comes first. Where nothing ``read``s facts from sentences, each different sentence
    is a fact of its own, and its true value is not known. ``said`` has the values said, and how often each; ``traces``
    the ids of the questions in whose traces it was false.
    """
    found: dict[str, _Fact] = {}
    for verdict in verdicts:
        kinds, truths = verdict.step_kinds or (), verdict.step_truth or ()
        for step, kind, truth in zip(verdict.trace.steps, kinds, truths, strict=False):
            if kind != MEMORY or truth is None:
                continue
            text = one_line(step.text)
            stated = read(step.text) if read else StatedFact(text, text, None)
            if stated is None:
                continue
            fact = found.setdefault(stated.name, _Fact(stated.true))
            fact.n += 1
            fact.said[stated.value] += 1
            if not truth:
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
