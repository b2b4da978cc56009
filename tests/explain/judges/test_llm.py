"""A model as a judge, over HTTP."""

import json
import re

import pytest
from helpers.traces import JAPAN, LYON, RIGHT, WRONG, trace

from memreason.errors import UserError
from memreason.explain.judges.config import JudgeConfig
from memreason.explain.judges.llm import LlmJudge, messages_of
from memreason.explain.judges.made_traces import made_task, made_traces
from memreason.llm.base import Stopped
from memreason.llm.fake_server import ScriptedServer


def sceptic(messages, form):
    """Steps that name Lyon first are false; the others are conclusions that follow."""
    lines = re.findall(r"^\d+\. (.+)$", messages[1]["content"], re.M)
    steps = [
        {"says": "fact", "verdict": "false"}
        if line.startswith("Lyon is the")
        else {"says": "conclusion", "verdict": "true"}
        for line in lines
    ]
    return json.dumps({"steps": steps, "answer": "unknown"})


def config(tmp_path, url, **options):
    return JudgeConfig(judge_llm="m", base_url=url, request_cache=str(tmp_path / "c.sqlite"), retries=0,
                       **{"price": "1,1", **options})  # fmt: skip


def test_what_the_reply_says_is_the_judgement_and_is_paid_for_once(tmp_path):
    server = ScriptedServer(reply=sceptic)
    with server.running() as url:
        judge = LlmJudge(config(tmp_path, url), "boolean", "test")
        first = judge.judge([RIGHT, WRONG])
        assert judge.judge([RIGHT, WRONG]) == first
    assert server.counts["requests"] == 2
    assert judge.meter.requests == 2 and judge.meter.cost > 0
    assert first[1].step_truth == (False, True, None)
    assert (first[1].kinds, first[1].cause) == (("memory", "reason"), "false_memory")


def test_the_right_answer_and_the_types_are_not_told():
    system, user = messages_of(trace(JAPAN, "A", ("memory", "Kyoto is the capital.")))
    assert "1. Kyoto is the capital." in user["content"] and "B. [b]Tokyo[/b]" in user["content"]
    assert "memory" not in user["content"] and "Answer: A" in user["content"]
    assert "verdict" in system["content"]


@pytest.mark.parametrize("text", ["", "no idea", '{"steps": []}', '{"steps": [{"says": "x", "verdict": "true"}, 1]}',
                                  '{"steps": [{"says": "fact", "verdict": "true"}], "answer": "true"}'])  # fmt: skip
def test_a_reply_in_another_form_leaves_the_trace_unverifiable(tmp_path, text):
    with ScriptedServer(reply=lambda messages, form: text).running() as url:
        (found,) = LlmJudge(config(tmp_path, url), "boolean", "test").judge([WRONG])
    assert found.step_truth == (None, None, None) and found.cause == "unreadable"


def test_the_budget_holds_for_all_calls_together(tmp_path):
    with ScriptedServer(reply=sceptic).running() as url:
        judge = LlmJudge(config(tmp_path, url, max_requests=2, concurrency=1), "boolean", "test")
        judge.judge([RIGHT])
        with pytest.raises(Stopped, match="--max_requests 2"):
            judge.judge([WRONG, trace(LYON, "True", ("memory", "Another."))])


def test_an_endpoint_that_answers_nothing_is_an_error(tmp_path):
    with (
        ScriptedServer(faults=1.0, kinds=("500",)).running() as url,
        pytest.raises(UserError, match=r"no request got an answer .*--judge_llm"),
    ):
        LlmJudge(config(tmp_path, url), "boolean", "test").judge([RIGHT])


def test_the_scripted_model_needs_no_endpoint(tmp_path):
    scripted = JudgeConfig(judge_llm="scripted", request_cache=str(tmp_path / "c.sqlite"))
    (found,) = LlmJudge(scripted, "boolean", "test").judge([RIGHT])
    assert found.step_truth == (True, True, True)


def test_traces_of_another_dataset_are_read_by_its_own_kind_of_answer(tmp_path):
    scripted = JudgeConfig(judge_llm="scripted", request_cache=str(tmp_path / "c.sqlite"))
    found = LlmJudge(scripted, "number", "test").judge(made_traces(made_task(20)))
    assert all(judgement.cause or judgement.grounds for judgement in found)
