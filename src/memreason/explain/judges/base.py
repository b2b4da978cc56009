"""The interface of a judge. `registry.JUDGES` lists the judges by name. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from memreason.records import Judgement, Trace


class Judge(Protocol):
    """Says which steps of traces are true.

    ``name`` is the judge's name in `JUDGES`. It is given all traces at once, so that encoders and endpoints can work in
    batches.
    """

    name: str

    def judge(self, traces: Sequence[Trace]) -> list[Judgement]:
        """One judgement for each trace, in the same order.

        A step that cannot be judged is None; no trace raises an error. Raises UserError where the judge cannot work
        at all, Stopped where its budget is used up.
        """
        ...
