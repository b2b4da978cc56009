"""One question, both agents: what is asked of whom, and what is made of the replies."""

import json
from typing import Any

import pytest

from memreason.label.dialogue import KNOWLEDGE, PLANNER, Ask, Labelled, Labeller, Rejection, label
from memreason.label.prompts import load_prompts
from memreason.llm.base import Reply, RequestFailed
from memreason.records import MEMORY, REASON, Question, Step

QUESTION = Question("q", "Is Lyon the capital of France?", "False")
PLAN = {
    "steps": [
        {"type": "memory", "text": "What is the capital of France?"},
        {"type": "reason", "text": "Lyon is not that city."},
        {"type": "memory", "text": "Is Lyon a city?"},
        {"type": "reason", "text": "So it is a city, but not the capital."},
    ],
    "answer": "False",
}
FACTS = {"facts": ["Paris is the capital of France.", "Lyon is a city."]}


def talk(*replies: Any, order: str = "interleaved", **settings: Any) -> tuple[Labelled | Rejection, list[Ask]]:
    """What becomes of the question, and all that was asked; an exception among the replies is thrown in."""
    asked: list[Ask] = []
    generator = label(QUESTION, "boolean", Labeller(order, load_prompts(order), **settings))
    try:
        asked.append(next(generator))
        for reply in replies:
            if isinstance(reply, Exception):
                asked.append(generator.throw(reply))
            elif isinstance(reply, Reply):
                asked.append(generator.send(reply))
            else:
                asked.append(generator.send(Reply(reply if isinstance(reply, str) else json.dumps(reply))))
    except StopIteration as ended:
        assert len(asked) == len(replies), "replies that nobody asked for"
        return ended.value, asked
    raise AssertionError(f"asks on: {asked[-1]}")


def test_the_planner_writes_queries_and_reasoning_and_the_knowledge_agents_facts_take_the_queries_places() -> None:
    result, asked = talk(PLAN, FACTS)
    assert isinstance(result, Labelled)
    assert result.solution.steps == (
        Step(MEMORY, "Paris is the capital of France."),
        Step(REASON, "Lyon is not that city."),
        Step(MEMORY, "Lyon is a city."),
        Step(REASON, "So it is a city, but not the capital."),
    )
    assert result.queries == ("What is the capital of France?", None, "Is Lyon a city?", None)
    assert [(ask.role, ask.form) for ask in asked] == [(PLANNER, "plan"), (KNOWLEDGE, "facts")]


def test_the_planner_is_told_the_answer_and_the_knowledge_agent_is_not() -> None:
    _, asked = talk(PLAN, FACTS)
    assert "Answer: False" in asked[0].messages[1]["content"]
    assert asked[1].messages[1]["content"] == "1. What is the capital of France?\n2. Is Lyon a city?"


def test_in_the_order_single_one_call_writes_everything() -> None:
    result, asked = talk(PLAN, order="single")
    assert isinstance(result, Labelled)
    assert [step.text for step in result.solution.steps] == [step["text"] for step in PLAN["steps"]]
    assert result.queries == (None,) * 4
    assert [ask.form for ask in asked] == ["solution"]


def test_in_the_order_memory_first_a_fact_after_a_conclusion_is_sent_back() -> None:
    sorted_plan = {**PLAN, "steps": sorted(PLAN["steps"], key=lambda step: step["type"])}
    result, asked = talk(PLAN, sorted_plan, FACTS, order="memory_first")
    assert isinstance(result, Labelled)
    assert [step.type for step in result.solution.steps] == [MEMORY, MEMORY, REASON, REASON]
    assert "before the first reason step" in asked[1].messages[-1]["content"]


def test_a_plan_without_queries_needs_no_knowledge_agent_where_that_is_allowed() -> None:
    plan = {"steps": [{"type": "reason", "text": "It follows."}], "answer": "False"}
    result, asked = talk(plan, need_both=False)
    assert isinstance(result, Labelled)
    assert len(asked) == 1


class TestRepairs:
    def test_an_agent_is_shown_its_reply_and_told_what_is_wrong_with_it(self) -> None:
        result, asked = talk("no JSON", PLAN, {"facts": ["only one"]}, FACTS)
        assert isinstance(result, Labelled)
        assert [ask.role for ask in asked] == [PLANNER, PLANNER, KNOWLEDGE, KNOWLEDGE]
        assert asked[1].messages[:2] == asked[0].messages
        assert asked[1].messages[2] == {"role": "assistant", "content": "no JSON"}
        assert "2 queries, and 1 facts" in asked[3].messages[3]["content"]

    def test_the_last_reply_alone_is_shown_however_often_it_is_repaired(self) -> None:
        _, asked = talk("first", "second", PLAN, FACTS, repairs=2)
        assert [message["content"] for message in asked[2].messages if message["role"] == "assistant"] == ["second"]

    def test_an_empty_reply_is_repaired_too_though_no_message_may_be_empty(self) -> None:
        _, asked = talk("", PLAN, FACTS)
        assert all(message["content"] for message in asked[1].messages)

    def test_facts_that_do_not_fit_into_the_plan_are_sent_back(self) -> None:
        result, _ = talk(PLAN, {"facts": ["The same."] * 2}, FACTS)
        assert isinstance(result, Labelled)

    @pytest.mark.parametrize(
        "reply", [{"facts": ["Paris.", None]}, Reply("No.", "refusal")], ids=["unknown", "refused"]
    )
    def test_what_an_agent_does_not_know_or_will_not_say_is_not_asked_again(self, reply: Any) -> None:
        result, _ = talk(PLAN, reply, repairs=5)
        assert isinstance(result, Rejection)
        assert result.reason in ("unknown_fact", "refused")


class TestRejections:
    def test_say_why_and_keep_every_reply_in_full(self) -> None:
        long = "x" * 10_000
        result, _ = talk(long, {**PLAN, "answer": "True"})
        assert isinstance(result, Rejection)
        assert (result.question, result.reason) == (QUESTION, "contradicts_gold")
        assert "'True'" in result.detail
        assert [(reply["role"], len(reply["text"])) for reply in result.replies] == [
            (PLANNER, 10_000), (PLANNER, len(json.dumps(PLAN)) - 1),
        ]  # fmt: skip

    def test_without_repairs_the_first_fault_is_final(self) -> None:
        result, asked = talk("no JSON", repairs=0)
        assert isinstance(result, Rejection)
        assert len(asked) == 1

    def test_a_request_that_cannot_be_had_rejects_the_question_with_what_was_got(self) -> None:
        result, _ = talk(PLAN, RequestFailed("status 500"))
        assert isinstance(result, Rejection)
        assert (result.reason, result.detail, len(result.replies)) == ("request_failed", "status 500", 1)
