"""Self-consistency (Wang et al., arXiv 2203.11171): of several answers to one question, the most frequent."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memreason.answers.extract import EQUAL, extract_strict, kind_of
from memreason.records import Trace, one_line

if TYPE_CHECKING:
    from memreason.records import AnswerKind


@dataclass(frozen=True)
class Vote:
    """The outcome: ``answer`` is the most frequent extracted answer (of several, the one that came first), or None
    where no trace gave one. ``first`` is the number of the first trace with it, 0 where there is none. ``counts`` has
    all answers, the most frequent first; ``without`` is the number of traces without an answer."""

    answer: str | None
    first: int
    counts: tuple[tuple[str, int], ...]
    without: int

    def to_json(self) -> dict[str, Any]:
        """As it stands in a response."""
        return {"answer": self.answer, "counts": dict(self.counts), "no_answer": self.without}


def vote(traces: Sequence[Trace], kind: AnswerKind) -> Vote:
    """The vote over traces of one question (at least one), whose answers are read by the strict extractor of ``kind``,
    as in evaluation. Mathematics and texts are compared as evaluation compares them with the right answer, and keep the
    wording of the first."""
    votes: list[tuple[str, str, list[int]]] = []
    for number, trace in enumerate(traces):
        extracted = extract_strict(trace.answer, trace.question, kind)
        if extracted is None:
            continue
        own_kind = kind_of(trace.question, kind)
        equal = EQUAL.get(own_kind, operator.eq)
        voters = next((voters for _, other, voters in votes if equal(other, extracted)), None)
        if voters is None:
            said = one_line(trace.answer or "") if own_kind in EQUAL else extracted
            votes.append((said, extracted, [number]))
        else:
            voters.append(number)
    votes.sort(key=lambda each: -len(each[2]))  # stable: of equally many, the one that came first
    counts = tuple((said, len(voters)) for said, _, voters in votes)
    answer, first = (votes[0][0], votes[0][2][0]) if votes else (None, 0)
    return Vote(answer, first, counts, len(traces) - sum(count for _, count in counts))
