"""The importance of steps: two distributions of answers, drawn from before and from behind each."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.tiny import SOLUTIONS

from memreason.config.model import ModelConfig
from memreason.evaluation.judge import judge_trace
from memreason.explain.baseline import Case
from memreason.explain.importance import Importance, Resampling, StepImportance, importance, total_variation
from memreason.generation.engine import Engine
from memreason.generation.request import Handle, Request
from memreason.models.build import build
from memreason.records import Step
from memreason.tasks.base import TaskData

TASK = TaskData("capitals", "boolean", {"test": SOLUTIONS})


@pytest.fixture(scope="module")
def engine(bases: dict[str, Path]) -> Iterator[Engine]:
    with Engine(build(ModelConfig(model_name_or_path=str(bases["tied"]), dtype="float32"), 72)) as engine:
        yield engine


def baseline(engine: Engine) -> tuple[Case, ...]:
    layout = engine.unit.layout
    traces = [layout.parse(s.question, layout.solution_text(s.steps, s.question.answer)) for s in SOLUTIONS]
    return tuple(Case(s, judge_trace(t, "boolean")) for s, t in zip(SOLUTIONS, traces, strict=True))


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("AABB", "BBAA", 0), ("AAAA", "BBBB", 1), ("AAAB", "AABB", 0.25), ("AABC", "AAAA", 0.5), ("AB", "AABB", 0)],
)
def test_the_distance_of_two_samples(one: str, other: str, distance: float) -> None:
    assert total_variation(one, other) == total_variation(other, one) == distance


def test_it_is_drawn_by_the_seed_and_the_question(engine: Engine) -> None:
    some = baseline(engine)
    found = importance(engine, TASK, some, Resampling(3, traces=2, seed=1), progress=False)
    alone = (found.traces[1][0],)
    assert (
        importance(engine, TASK, alone, Resampling(3, traces=None, seed=1), progress=False).traces == found.traces[1:]
    )
    row = found.to_json()
    assert (row["n"], row["samples"], row["temperature"], row["left_out"]) == (2, 3, 1.0, [])
    assert set(row["traces"]) <= {case.id for case in some}
    assert all(len(steps) == 2 and all(0 <= step <= 1 for step in steps) for steps in row["traces"].values())


def test_the_answers_from_each_place_are_drawn_by_numbers_of_their_own(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []
    submit = engine.submit

    def noting(request: Request, **options: Any) -> Handle:
        seeds.append(request.decoding.seed)
        return submit(request, **options)

    monkeypatch.setattr(engine, "submit", noting)
    importance(engine, TASK, baseline(engine)[:1], Resampling(1), progress=False)
    assert len(seeds) == len({*seeds}) == 3


def test_an_answer_without_room_is_left_out(engine: Engine) -> None:
    case, *_ = baseline(engine)
    long = engine.unit.layout.solution_text((Step("memory", "It is very, very old, " * 9),), "True")
    verdict = replace(case.verdict, trace=engine.unit.layout.parse(case.trace.question, long))
    found = importance(engine, TASK, (replace(case, verdict=verdict),), Resampling(2), progress=False)
    assert found.left_out == (case.id,) and found.traces == ()


def test_figures_by_type_and_by_position(engine: Engine) -> None:
    one, other, *_ = baseline(engine)
    steps = (StepImportance(0.5, 0.1), StepImportance(0.25, 0.2))
    row = Importance(Resampling(), ((one, steps), (other, steps[:1] + steps[:1]))).to_json()
    assert row["by_type"]["memory"] == {"mean": 0.5, "interval": [0.5, 0.5], "n": 2, "by_chance": 0.1}
    assert row["by_type"]["reason"]["mean"] == 0.375 and row["by_type"]["reason"]["n"] == 2
    assert [(at["position"], at["mean"]) for at in row["by_position"]] == [(1, 0.5), (2, 0.375)]
    assert row["traces"] == {one.id: [0.5, 0.25], other.id: [0.5, 0.5]}
