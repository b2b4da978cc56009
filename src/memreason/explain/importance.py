"""How much hangs on each step: the answers drawn from before it against those drawn from behind it.

From before a step, the model writes that step and all that follows anew, several times; from behind it, only what
follows. If the two distributions of answers are alike, the answer does not hang on what this step says. This is the
resampling of Thought Anchors (arXiv 2506.19143), there with other distances. Here it is the total variation distance,
half the sum of the differences of all shares: 0 for equal distributions, 1 for those without a common answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Any

from tqdm.auto import tqdm

from memreason.errors import UserError
from memreason.evaluation.judge import judge_trace
from memreason.evaluation.statistics import bootstrap_mean
from memreason.explain.baseline import Case
from memreason.explain.interventions import answer_of, check_layout
from memreason.generation.decoding import Decoding
from memreason.generation.edit import cut
from memreason.generation.engine import Engine
from memreason.generation.request import Handle
from memreason.tasks.base import TaskData
from memreason.tasks.load import draw

_SHUFFLES = 100
"""How often the samples of two distributions are mixed, to find their distance by chance."""


@dataclass(frozen=True)
class Resampling:
    """How answers are drawn again."""

    samples: int = 8
    """How many from before each step, and from behind the last."""
    temperature: float = 1.0
    traces: int | None = None
    """Of how many answers, drawn by ``seed``; None or 0: of all."""
    seed: int = 0


DEFAULT = Resampling()


@dataclass(frozen=True)
class StepImportance:
    """The distance of one step, in [0, 1], and how large it is on average if only chance makes a difference."""

    distance: float
    by_chance: float


@dataclass(frozen=True)
class Importance:
    """The importance of the steps of some traces."""

    resampling: Resampling
    traces: tuple[tuple[Case, tuple[StepImportance, ...]], ...]
    left_out: tuple[str, ...] = ()
    """Ids of questions whose answers leave no room to be drawn again."""

    def to_json(self) -> dict[str, Any]:
        """{"n", "samples", "temperature", "by_type": {type: {"mean", "interval", "n", "by_chance"}}, "by_position":
        [the same with "position", from 1], "traces": {id of the question: [distance of each step]}, "left_out"}."""
        types: dict[str, list[StepImportance]] = {}
        positions: list[list[StepImportance]] = []
        for case, steps in self.traces:
            for at, (step, importance) in enumerate(zip(case.trace.steps, steps, strict=True)):
                types.setdefault(step.type, []).append(importance)
                if at == len(positions):
                    positions.append([])
                positions[at].append(importance)
        return {
            "n": len(self.traces),
            "samples": self.resampling.samples,
            "temperature": self.resampling.temperature,
            "by_type": {type_: _mean(some) for type_, some in sorted(types.items())},
            "by_position": [{"position": at, **_mean(some)} for at, some in enumerate(positions, 1)],
            "traces": {case.id: [round(step.distance, 4) for step in steps] for case, steps in self.traces},
            "left_out": list(self.left_out),
        }


def _mean(some: Sequence[StepImportance]) -> dict[str, Any]:
    mean, interval = bootstrap_mean([one.distance for one in some])
    by_chance = sum(one.by_chance for one in some) / len(some)
    return {"mean": mean, "interval": list(interval), "n": len(some), "by_chance": by_chance}


def importance(
    engine: Engine,
    task: TaskData,
    baseline: Sequence[Case],
    resampling: Resampling = DEFAULT,
    progress: bool = True,
) -> Importance:
    """Draw answers from before each step, and from behind the last, of some answers of the ``baseline``.

    Within ``with engine:``. Raises UserError for a model whose traces cannot be continued.
    """
    check_layout(engine.unit)
    samples, seed = resampling.samples, resampling.seed
    chosen = draw([case for case in baseline if case.trace.steps], resampling.traces, seed)
    decoding = Decoding(temperature=resampling.temperature, n=samples, seed=seed)
    begun: list[tuple[Case, list[Handle]]] = []
    left_out: list[str] = []
    with tqdm(total=0, desc="  drawing answers again", disable=not progress, unit="answer") as bar:
        for case in chosen:
            try:
                # Each place has a seed of its own: answers drawn by equal numbers would differ less than by chance.
                # The longest comes first: where it has no room, none is drawn for nothing.
                cuts = [
                    cut(engine.unit, case.trace, at, replace(decoding, seed=seed + at))
                    for at in range(len(case.trace.steps), -1, -1)
                ]
                handles = [engine.submit(request, on_end=lambda _: bar.update() and None) for request in cuts]
            except UserError:
                left_out.append(case.id)
                continue
            begun.append((case, handles[::-1]))
            bar.total += len(handles) * samples
        engine.run()
    found = []
    for case, handles in begun:
        answers = [[answer_of(judge_trace(a.trace, task.answer_kind)) for a in handle.wait()] for handle in handles]
        chance = Random(f"{seed} {case.id}")
        found.append((case, tuple(_compare(*pair, chance) for pair in pairwise(answers))))
    return Importance(resampling, tuple(found), tuple(left_out))


def _compare(before: Sequence[str | None], behind: Sequence[str | None], chance: Random) -> StepImportance:
    mixed = [*before, *behind]
    by_chance = 0.0
    if len({*mixed}) > 1:
        for _ in range(_SHUFFLES):
            chance.shuffle(mixed)
            by_chance += total_variation(mixed[: len(before)], mixed[len(before) :]) / _SHUFFLES
    return StepImportance(total_variation(before, behind), by_chance)


def total_variation(one: Iterable[str | None], other: Iterable[str | None]) -> float:
    """The total variation distance, in [0, 1], of two samples of answers."""
    first, second = Counter(one), Counter(other)
    n, m = first.total(), second.total()
    return sum(abs(first[answer] / n - second[answer] / m) for answer in {*first, *second}) / 2
