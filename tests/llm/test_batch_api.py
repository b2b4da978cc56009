"""Asynchronous batches against the scripted server: submitted, found again, waited for, collected."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from memreason.errors import UserError
from memreason.llm.base import Request
from memreason.llm.batch_api import batch_line, collect, find, submit, wait
from memreason.llm.fake_server import ScriptedServer
from memreason.llm.meter import Meter
from memreason.llm.openai_api import OpenAIEndpoint


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


LINES = [
    None, 7, "x", [], {}, {"custom_id": 7}, {"custom_id": "k"}, {"custom_id": "k", "response": "x"},
    {"custom_id": "k", "response": {"status_code": [[]], "body": "k"}, "error": None},
    {"custom_id": "k", "response": {"status_code": 200, "body": [1]}}, {"custom_id": "k", "error": {"message": [1]}},
    {"custom_id": "k", "response": {"status_code": 500, "body": {"error": "broken \x1b[31m"}}},
    {"custom_id": "k", "response": {"status_code": 200, "body": {"error": {"message": "no more", "code": 429}}}},
]  # fmt: skip


@pytest.mark.parametrize("row", LINES, ids=str)
def test_a_line_of_any_form_is_a_failure_with_words_and_no_crash(row: Any) -> None:
    from memreason.llm.batch_api import _answered

    async def work(endpoint: OpenAIEndpoint) -> Any:
        return _answered(endpoint, endpoint.dialect, row)

    answered = with_endpoint(ScriptedServer(), work)
    assert answered.reply is None and answered.why and answered.why.isprintable()
    assert answered.key == ("k" if isinstance(row, dict) and row.get("custom_id") == "k" else None)


def test_a_prompt_that_a_content_filter_refuses_is_answered_so() -> None:
    from memreason.llm.batch_api import _answered

    async def work(endpoint: OpenAIEndpoint) -> Any:
        error = {"error": {"code": "content_filter", "message": "The response was filtered"}}
        return _answered(
            endpoint, endpoint.dialect, {"custom_id": "k", "response": {"status_code": 400, "body": error}}
        )

    answered = with_endpoint(ScriptedServer(), work)
    assert (answered.reply.finish_reason, answered.reply.text) == ("content_filter", "The response was filtered")


def test_a_text_may_hold_line_breaks_that_are_none_in_json(tmp_path: Path) -> None:
    server = ScriptedServer(reply=lambda messages, form: "a\u2028b\x85c")
    server.download = _unescaped(server)  # type: ignore[method-assign]
    found, _, _ = batched(tmp_path, server)
    assert {answered.reply.text for answered in found.values()} == {"a\u2028b\x85c"}


def _unescaped(server: ScriptedServer) -> Any:
    """Its files with every character as it is."""

    async def download(request: web.Request) -> web.Response:
        rows = [json.loads(line) for line in server._files[request.match_info["id"]].splitlines()]
        return web.Response(text="".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    return download


def test_an_endpoint_that_answers_with_no_batch_is_named(tmp_path: Path) -> None:
    server = ScriptedServer()

    async def upload(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response(["no", "file"])

    server.upload = upload  # type: ignore[method-assign]
    with pytest.raises(UserError, match=r"127\.0\.0\.1.*no batch.*run the same command again"):
        batched(tmp_path, server)
