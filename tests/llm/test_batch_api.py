"""Asynchronous batches against the scripted server: submitted, found again, waited for, collected."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from memreason.errors import UserError
from memreason.llm import Request
from memreason.llm.batch_api import batch_line, collect, find, submit, wait
from memreason.llm.meter import Meter
from memreason.llm.openai_api import OpenAIEndpoint
from memreason.llm.server import ScriptedServer


def request(answer: str) -> Request:
    system = {"role": "system", "content": '{"answer": …}'}
    return Request("m", (system, {"role": "user", "content": f"in favour of {answer}."}), "answer", {}, 50)


def with_endpoint(server: ScriptedServer, work: Callable[[OpenAIEndpoint], Awaitable[Any]], **settings: Any) -> Any:
    async def run(url: str) -> Any:
        endpoint = OpenAIEndpoint(Meter(), base_url=url, **settings)
        try:
            return await work(endpoint)
        finally:
            await endpoint.close()

    with server.running() as url:
        return asyncio.run(run(url))


def batched(folder: Path, server: ScriptedServer, answers: str = "AB") -> tuple[dict[str, Any], list[str], str]:
    """(key → what came back, what was said while waiting, the dialect's way to ask for JSON)"""
    said: list[str] = []

    async def work(endpoint: OpenAIEndpoint) -> Any:
        file = folder / "batch.jsonl"
        file.write_text("".join(batch_line(f"key-{a}", request(a), endpoint) for a in answers))
        id = await submit(endpoint, file, "a name")
        assert await find(endpoint, "a name") == id
        assert await find(endpoint, "another name") is None
        batch = await wait(endpoint, id, 0.0, said.append)
        return {answered.key: answered for answered in await collect(endpoint, batch)}, endpoint.dialect.structured

    found, structured = with_endpoint(server, work)
    return found, said, structured


def test_every_request_gets_its_own_reply_in_whatever_order_they_come(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.polls_until_done = 3
    found, said, _ = batched(tmp_path, server)
    assert {key: json.loads(answered.reply.text)["answer"] for key, answered in found.items()} == {
        "key-A": "A",
        "key-B": "B",
    }
    assert [line.partition(": ")[2] for line in said] == ["in_progress, 0 of 2 done", "completed, 2 of 2 done"]


def test_a_request_that_failed_has_the_reason_instead_of_a_reply(tmp_path: Path) -> None:
    found, _, _ = batched(tmp_path, ScriptedServer(faults=1.0, kinds=("500",)))
    assert all(answered.reply is None and "batch_expired" in answered.why for answered in found.values())


def test_a_refused_parameter_is_learnt_for_the_next_batch(tmp_path: Path) -> None:
    found, _, structured = batched(tmp_path, ScriptedServer(refuses=("response_format",)))
    assert all(answered.reply is None for answered in found.values())
    assert structured != "json_schema"


def test_a_line_holds_the_key_and_the_body_with_the_users_own_fields() -> None:
    async def work(endpoint: OpenAIEndpoint) -> str:
        return batch_line("k", Request("m", (), "answer", {}, extra={"seed": 7}), endpoint)

    line = json.loads(with_endpoint(ScriptedServer(), work))
    assert (line["custom_id"], line["url"], line["body"]["seed"]) == ("k", "/v1/chat/completions", 7)


def test_an_endpoint_without_batches_is_named_with_the_flag_to_leave_out(tmp_path: Path) -> None:
    async def work(endpoint: OpenAIEndpoint) -> None:
        endpoint.client = endpoint.client.with_options(base_url=f"{endpoint.endpoint}/elsewhere")
        await submit(endpoint, Path(__file__), "name")

    with pytest.raises(UserError, match="leave out --batch"):
        with_endpoint(ScriptedServer(), work)


@pytest.mark.parametrize("body", [None, [], {"choices": [{"message": None}]}])
def test_an_answer_that_is_no_completion_is_a_failure_of_this_one_request(body: Any) -> None:
    from memreason.llm.batch_api import _answered

    async def work(endpoint: OpenAIEndpoint) -> Any:
        return _answered(endpoint, endpoint.dialect, {"custom_id": "k", "response": {"status_code": 200, "body": body}})

    answered = with_endpoint(ScriptedServer(), work)
    assert answered.reply is None
    assert "no chat completion" in answered.why
