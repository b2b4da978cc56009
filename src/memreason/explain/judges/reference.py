"""The judge `reference`: how far a trace agrees with the labelled solution of its question.

Each step is compared with all steps of the solution (`sameness`). A memory that says the same as a labelled step is
true, and one that contradicts it is false. An inference can follow from other facts than the labelled ones; so it is
judged only where all memories before it are true: if it names an answer, this must be the right one; else it is judged
as a memory is. All else is unverifiable (None): the labelled solution is one way to the answer, and a trace that takes
another way is not wrong for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from memreason.answers.extract import outcome
from memreason.explain.judges.coarse import answer_follows, coarse_judgement, concluded, says
from memreason.explain.judges.sameness import Match, Sentences
from memreason.records import MEMORY, REASON, AnswerKind, Judgement, Kind, Step, Trace


class ReferenceJudge:
    """Compares with ``solutions``: question id → the labelled steps; a question without any is unverifiable."""

    name = "reference"

    def __init__(self, solutions: Mapping[str, Sequence[Step]], kind: AnswerKind, sentences: Sentences):
        self._solutions, self._kind, self._sentences = solutions, kind, sentences

    def judge(self, traces: Sequence[Trace]) -> list[Judgement]:
        """One judgement for each trace."""
        labelled = [self._solutions.get(trace.question.id, ()) for trace in traces]
        among = [[step.text for step in steps] for steps in labelled]
        matches = iter(
            self._sentences.find([(s.text, texts) for t, texts in zip(traces, among, strict=True) for s in t.steps])
        )
        return [
            self._judge(trace, steps, list(islice(matches, len(trace.steps))))
            for trace, steps in zip(traces, labelled, strict=True)
        ]

    def _judge(self, trace: Trace, labelled: Sequence[Step], matches: Sequence[Match | None]) -> Judgement:
        truths: list[bool | None] = []
        kinds: list[Kind | None] = []
        sure = bool(labelled)  # whether all memories so far are true
        for step, match in zip(trace.steps, matches, strict=True):
            kind = _kind(labelled[match.place]) if match and match.same else None
            kinds.append(kind)
            if says(step.type, kind) == MEMORY:
                truths.append(match.same if match else None)
                sure &= truths[-1] is True
            else:
                truths.append(self._follows(trace, step, match) if sure else None)
        return coarse_judgement(trace, self._kind, [*truths, answer_follows(trace, self._kind)], kinds)

    def _follows(self, trace: Trace, step: Step, match: Match | None) -> bool | None:
        named = concluded(step.text, trace.question, self._kind)
        if named is not None:
            return outcome(named, trace.question.answer, self._kind) == "correct"
        return match.same if match else None


def _kind(step: Step) -> Kind | None:
    """What a labelled step says, and so a step that says the same."""
    return step.type if step.type in (MEMORY, REASON) else None  # type: ignore[return-value]
