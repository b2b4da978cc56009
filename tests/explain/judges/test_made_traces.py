"""The traces on which judges are measured."""

from collections import Counter

import pytest

from memreason.explain.judges.made_traces import made_facts, made_task, made_traces
from memreason.tasks import atlas
from memreason.tasks.atlas.facts import world
from memreason.tasks.atlas.wording import read_step
from memreason.tasks.base import TaskData


@pytest.fixture(scope="module")
def task() -> TaskData:
    return made_task(60)


def test_half_of_the_steps_are_false_and_each_can_be_judged(task: TaskData) -> None:
    counts = Counter()
    traces = made_traces(task)
    for trace in traces:
        found = atlas.judge(trace)
        kinds = (*found.kinds, "answer")
        assert trace.well_formed and None not in kinds
        counts.update(zip(kinds, found.step_truth, strict=True))
    assert {truth for _, truth in counts} == {True, False}
    for kind, low, high in (("memory", 0.4, 0.6), ("reason", 0.4, 0.7), ("answer", 0.15, 0.35)):
        assert low < counts[kind, False] / (counts[kind, False] + counts[kind, True]) < high
    assert traces == made_traces(task)


def test_the_words_are_not_those_of_the_labelled_solutions(task: TaskData) -> None:
    labelled = {step.text for solution in task.splits["test"] for step in solution.steps}
    true = [
        step.text
        for trace in made_traces(task)
        for step, truth in zip(trace.steps, atlas.judge(trace).step_truth, strict=False)
        if truth
    ]
    assert 0.1 < sum(text in labelled for text in true) / len(true) < 0.7


def test_the_table_holds_a_true_and_a_false_statement_of_each_fact(task: TaskData) -> None:
    held = made_facts(task)
    for statement, true in held.items():
        said = read_step(statement)
        assert said and [world().is_true(fact) for fact in said.facts] == [true]
    assert set(held.values()) == {True, False}
