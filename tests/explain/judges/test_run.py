"""Judging as the options say: which judge, for which task, and how it is measured."""

import json
from dataclasses import replace

import pytest
from helpers.traces import LYON, WRONG, trace

from memreason.errors import UserError
from memreason.explain.judges.config import JudgeConfig
from memreason.explain.judges.made_traces import made_task, made_traces
from memreason.explain.judges.run import judge_traces_with
from memreason.records import Solution, Step
from memreason.tasks.base import TaskData

TASK = TaskData("made", "boolean", {"test": [Solution(LYON, (Step("memory", "Paris is the capital."),))]})


@pytest.fixture
def facts(tmp_path):
    path = tmp_path / "facts.jsonl"
    path.write_text(json.dumps({"statement": "Lyon is the capital.", "true": False}) + "\n")
    return str(path)


def test_the_exact_judge_is_the_default_and_is_not_measured():
    task = made_task(20)
    traces = made_traces(task)
    judgements, agreement = judge_traces_with(JudgeConfig(), task, traces)
    assert judgements == [task.judge(trace) for trace in traces]
    assert agreement is None


def test_another_judge_is_measured_on_atlas_with_a_table_of_atlas(facts):
    judgements, agreement = judge_traces_with(JudgeConfig(facts=facts, measure_judge=40), TASK, [WRONG])
    assert judgements[0].step_truth[0] is False
    assert (agreement.judge, agreement.on) == ("facts", "40 made atlas traces")
    memory = agreement.kinds["memory"]
    assert memory.precision == 1 and 0.3 < memory.unverifiable < 0.9  # the same words, where they are the same
    assert agreement.kinds["reason"].unverifiable == 1


def test_a_run_on_atlas_is_measured_on_its_own_traces(facts):
    task = made_task(20)
    judgements, agreement = judge_traces_with(JudgeConfig(facts=facts), task, made_traces(task))
    assert (agreement.on, agreement.traces, len(judgements)) == ("these traces", 20, 20)


def test_the_measurement_of_a_model_is_part_of_its_budget(tmp_path):
    config = JudgeConfig(
        judge_llm="scripted", request_cache=str(tmp_path / "c.sqlite"), measure_judge=20, max_requests=21
    )
    _, agreement = judge_traces_with(config, TASK, [trace(LYON, "True", ("memory", "Lyon."))])
    assert agreement.kinds["memory"].recall == 0  # scripted replies find nothing false
    none, agreement = judge_traces_with(replace(config, measure_judge=0), TASK, [WRONG])
    assert agreement is None and len(none) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"judge": "facts"}, "--judge facts needs --facts"),
        ({"judge": "llm"}, "--judge llm needs --judge_llm"),
        ({"judge": "atlas", "facts": "f.jsonl"}, "--facts f.jsonl is for --judge facts"),
        ({"measure_judge": -1}, "--measure_judge"),
        ({"extra_body": "[]"}, "--extra_body"),
        ({"extra_body": '{"n": 8}'}, "--extra_body: n is set by"),
    ],
)
def test_options_that_contradict_each_other(options, message):
    with pytest.raises(UserError, match=message):
        JudgeConfig(**options)


@pytest.mark.parametrize(
    ("judge", "task", "message"),
    [
        ("atlsa", TASK, "did you mean"),
        ("atlas", TASK, "has no exact judge"),
        ("reference", replace(TASK, splits={"test": [Solution(LYON)]}), "no labelled solutions"),
    ],
)
def test_judges_that_cannot_judge_the_task(judge, task, message):
    with pytest.raises(UserError, match=message):
        judge_traces_with(JudgeConfig(judge=judge), task, [WRONG])
