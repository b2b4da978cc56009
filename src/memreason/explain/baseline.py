"""The answers that interventions start from: a model's own, generated again, with their ids and log-probabilities.

A recorded trace has no ids, and a text can be spelled by several. So each question is answered once more; in float32
this gives what was recorded, unless that was decoded in another data type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tqdm.auto import tqdm

from memreason.errors import UserError
from memreason.evaluation.judge import judge_trace
from memreason.generation.decoding import Decoding
from memreason.generation.engine import Engine
from memreason.generation.request import Request
from memreason.records import Solution, Trace, Verdict
from memreason.tasks.base import TaskData

SHARED = 0.4
"""`GenerationOptions.least_shared` for an engine that continues many edited answers to the same questions."""


@dataclass(frozen=True)
class Case:
    """A question with its labelled solution, and the model's answer to it."""

    solution: Solution
    verdict: Verdict
    """Its trace has ids and log-probabilities."""

    @property
    def trace(self) -> Trace:
        """What the model wrote."""
        return self.verdict.trace

    @property
    def id(self) -> str:
        """The question's id."""
        return self.solution.question.id


def answer_again(
    engine: Engine,
    task: TaskData,
    solutions: Sequence[Solution],
    progress: bool = True,
) -> tuple[Case, ...]:
    """Answer the questions of ``solutions`` greedily, and judge the answers.

    A question that leaves no room for an answer gets an empty trace. Use this and all that follows within one
    ``with engine:``, so that the model is prepared once.
    """
    decoding = Decoding(logprobs=True)
    traces: list[Trace] = [engine.unit.layout.parse(solution.question, "", truncated=True) for solution in solutions]
    with tqdm(total=len(solutions), desc="  answering again", disable=not progress, unit="q") as bar:
        handles = {}
        for at, solution in enumerate(solutions):
            try:
                request = Request(solution.question, decoding=decoding)
                handles[at] = engine.submit(request, on_end=lambda _: bar.update() and None)
            except UserError:
                bar.update()
        engine.run()
    for at, handle in handles.items():
        traces[at] = handle.wait()[0].trace
    verdicts = [judge_trace(trace, task.answer_kind, task.judge) for trace in traces]
    return tuple(Case(solution, verdict) for solution, verdict in zip(solutions, verdicts, strict=True))
