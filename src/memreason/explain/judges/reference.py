"""The judge `reference`: how far a trace agrees with the labelled solution of its question.

Each step is compared with all steps of the solution (`sameness`). One that says the same as a labelled step is true. One
that contradicts the nearest is false if it is a memory. An inference that contradicts the labelled one may still follow
from other facts: so it counts as invalid only where no memory before it is false. An inference that names an answer
is judged by that answer: from true memories it must be the right one. All else is unverifiable (None): the labelled
solution is one way to the answer, and a trace that takes another way is not wrong for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
        pairs = [(trace, self._solutions.get(trace.question.id, ())) for trace in traces]
        self._sentences.read(step.text for trace, labelled in pairs if labelled for step in (*trace.steps, *labelled))
        return [self._judge(trace, labelled) for trace, labelled in pairs]

    def _judge(self, trace: Trace, labelled: Sequence[Step]) -> Judgement:
        texts = [step.text for step in labelled]
        truths: list[bool | None] = []
        kinds: list[Kind | None] = []
        false_before = False
        for step in trace.steps:
            match = self._sentences.find(step.text, texts)
            kind = _kind(labelled[match.place]) if match and match.same else None
            kinds.append(kind)
            if says(step.type, kind) == MEMORY:
                truths.append(match.same if match else None)
                false_before |= truths[-1] is False
            else:
                truths.append(self._follows(trace, step, match, false_before) if labelled else None)
        return coarse_judgement(trace, self._kind, [*truths, answer_follows(trace, self._kind)], kinds)

    def _follows(self, trace: Trace, step: Step, match: Match | None, false_before: bool) -> bool | None:
        if false_before:
            return None
        named = concluded(step.text, trace.question, self._kind)
        if named is not None:
            return outcome(named, trace.question.answer, self._kind) == "correct"
        return match.same if match else None


def _kind(step: Step) -> Kind | None:
    """What a labelled step says, and so a step that says the same."""
    return step.type if step.type in (MEMORY, REASON) else None  # type: ignore[return-value]
