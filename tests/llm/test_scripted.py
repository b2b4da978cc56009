"""The scripted agent: form without content, the same each time."""

import asyncio
import json

import pytest

from memreason.label.prompts import ORDERS, answer_value, load_prompts, question_values
from memreason.label.replies import ANSWER_SCHEMA, check_steps, read_answer, read_facts, read_plan
from memreason.llm.base import Reply, Request
from memreason.llm.meter import Meter
from memreason.llm.scripted import ScriptedAgent, scripted_reply
from memreason.records import Question

BOOLEAN = Question("q", "Is Nairobi the capital of Kenya, or is nairobi not?", "True")
CHOICE = Question("q", "What is used for writing?", "B", ("spoon", "pen", "hat"))


@pytest.mark.parametrize("form", ["plan", None], ids=["form given", "form read from the prompt"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("question", "kind"), [(BOOLEAN, "boolean"), (CHOICE, "choice")])
def test_its_plans_pass_every_check_under_our_prompts(
    order: str, question: Question, kind: str, form: str | None
) -> None:
    messages = load_prompts(order).messages("planner", **question_values(question), answer=answer_value(question))
    text = scripted_reply(messages, form)
    assert read_plan(Reply(text), question, kind, memory_first=order == "memory_first")  # type: ignore[arg-type]
    assert text == scripted_reply(messages, form)


@pytest.mark.parametrize("form", ["facts", None])
def test_it_writes_one_fact_for_each_query(form: str | None) -> None:
    messages = load_prompts("interleaved").messages(
        "knowledge", queries="1. Who?\n2. What?", **question_values(BOOLEAN)
    )
    facts = read_facts(Reply(scripted_reply(messages, form)), ["Who?", "What?"])
    assert len(set(facts)) == 2


@pytest.mark.parametrize("form", ["answer", None])
def test_as_a_reader_it_finds_the_answer_in_its_own_last_step_and_only_there(form: str | None) -> None:
    prompts = load_prompts("interleaved")
    plan = json.loads(
        scripted_reply(prompts.messages("planner", **question_values(CHOICE), answer=answer_value(CHOICE)), "plan")
    )
    for notes, answer in ((plan["steps"][-1]["text"], "B"), ("(none)", "unknown")):
        messages = prompts.messages("reader", **question_values(CHOICE), steps=notes)
        assert read_answer(Reply(scripted_reply(messages, form))) == answer


def test_a_question_without_any_long_word_gets_a_plan_too() -> None:
    question = Question("q", "Is 2 + 2 = 4?", "True")
    messages = load_prompts("interleaved").messages("planner", **question_values(question), answer="True")
    check_steps(read_plan(Reply(scripted_reply(messages)), question, "boolean"))


def test_as_a_client_it_counts_its_requests_and_tokens() -> None:
    meter = Meter()
    agent = ScriptedAgent(meter)
    messages = load_prompts("interleaved").messages("reader", **question_values(BOOLEAN), steps="(none)")
    reply = asyncio.run(agent.complete(Request("scripted", messages, "answer", ANSWER_SCHEMA)))
    assert reply.finish_reason == "stop"
    assert reply.prompt_tokens > 0
    assert reply.completion_tokens > 0
    assert meter.requests == 1
