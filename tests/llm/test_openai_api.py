"""Any OpenAI-compatible endpoint: what is retried, what ends a run, and what a server is not asked for twice."""

import asyncio
import contextlib
import email.utils
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from memreason.errors import UserError
from memreason.llm.base import Reply, Request, RequestFailed, Stopped
from memreason.llm.completions import read_completion
from memreason.llm.fake_server import ScriptedServer
from memreason.llm.meter import Meter
from memreason.llm.openai_api import Dialect, OpenAIEndpoint, learnt, request_body

KEY = "sk-secret-0123456789"
PROMPT = ({"role": "system", "content": 'reply {"answer": …}'}, {"role": "user", "content": "in favour of B."})
REQUEST = Request("m", PROMPT, "answer", {"type": "object"}, max_tokens=50)
GOOD = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4}}  # fmt: skip

Answer = tuple[int, Any, dict[str, str]]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture(autouse=True)
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off is multiplied by a random factor; here that is nearly nothing."""
    monkeypatch.setattr("memreason.llm.openai_api.random.uniform", lambda low, high: 0.001)


@contextlib.contextmanager
def answering(*answers: Answer) -> Iterator[str]:
    """A server that gives these (status, body, headers), the last one again and again; yields its URL."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body, headers = left.pop(0) if len(left) > 1 else left[0]
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def complete(url: str, times: int = 1, retries: int = 2, meter: Meter | None = None, **settings: Any) -> Reply:
    """The last of several replies, asked for one after the other."""

    async def ask() -> Reply:
        endpoint = OpenAIEndpoint(meter or Meter(), base_url=url, retries=retries, **settings)
        try:
            for _ in range(times - 1):
                with contextlib.suppress(RequestFailed):
                    await endpoint.complete(REQUEST)
            return await endpoint.complete(REQUEST)
        finally:
            await endpoint.close()

    return asyncio.run(ask())


def test_a_reply_comes_with_its_tokens_and_the_reason_why_it_ended() -> None:
    with answering((200, GOOD, {})) as url:
        assert complete(url) == Reply("hi", "stop", 3, 4)


class TestRetries:
    @pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
    def test_faults_of_the_moment_are_retried(self, status: int) -> None:
        meter = Meter()
        with answering((status, {"error": {"message": "busy"}}, {}), (200, GOOD, {})) as url:
            assert complete(url, meter=meter).text == "hi"
        assert (meter.requests, meter.retries) == (2, 1)

    @pytest.mark.parametrize(
        "body",
        ["", "{", "<html>", "null", "[]", {}, {"choices": []}, {"choices": None}, {"choices": [{}]},
         {"choices": [{"message": None}]}, {"choices": [{"message": {"content": [1]}}]},
         {"choices": [{"message": {"content": "x"}}], "usage": [1]},
         {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": "many"}}],
        ids=str,
    )  # fmt: skip
    def test_so_is_a_body_that_is_no_chat_completion(self, body: Any) -> None:
        with answering((200, body, {}), (200, GOOD, {})) as url:
            assert complete(url).text == "hi"

    def test_a_request_is_given_up_after_its_retries_and_says_why(self) -> None:
        with (
            answering((500, {"error": {"message": "broken today"}}, {})) as url,
            pytest.raises(RequestFailed, match=r"500: broken today \(tried 3 times\)"),
        ):
            complete(url, retries=2)

    def test_nobody_listening_is_a_failed_request_that_names_the_cause(self) -> None:
        with answering((200, GOOD, {})) as url:
            pass
        with pytest.raises(RequestFailed, match="connect"):
            complete(url, retries=1)

    def test_a_stalled_request_is_given_up_after_the_time_out(self) -> None:
        with (
            ScriptedServer(faults=1.0, kinds=("stall",), stall=5).running() as url,
            pytest.raises(RequestFailed, match="Timeout"),
        ):
            complete(url, retries=0, timeout=0.2)

    def test_a_bad_request_fails_at_once_and_is_not_retried(self) -> None:
        meter = Meter()
        with (
            answering((400, {"error": {"message": "too long for me"}}, {})) as url,
            pytest.raises(RequestFailed, match="too long for me"),
        ):
            complete(url, meter=meter)
        assert meter.requests == 1

    def test_retry_after_in_seconds_is_waited_for(self) -> None:
        with answering((429, {}, {"Retry-After": "0.3"}), (200, GOOD, {})) as url:
            start = time.monotonic()
            complete(url)
        assert time.monotonic() - start >= 0.3

    def test_retry_after_as_a_date_is_waited_for(self) -> None:
        date = email.utils.formatdate(time.time() + 2, usegmt=True)  # whole seconds: between 1 and 2 from now
        with answering((503, {}, {"Retry-After": date}), (200, GOOD, {})) as url:
            start = time.monotonic()
            complete(url)
        assert time.monotonic() - start >= 0.9

    @pytest.mark.parametrize("value", ["0", "-1", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
    def test_a_retry_after_that_asks_for_no_wait_leaves_the_back_off(
        self, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("memreason.llm.openai_api.random.uniform", lambda low, high: 0.4)
        with answering((429, {}, {"Retry-After": value}), (200, GOOD, {})) as url:
            start = time.monotonic()
            complete(url)
        assert time.monotonic() - start >= 0.2

    @pytest.mark.parametrize("name", ["retry-after-ms", "x-ratelimit-reset-requests"])
    def test_other_headers_that_ask_to_wait_are_heeded(self, name: str) -> None:
        value = "300" if name == "retry-after-ms" else "300ms"
        with answering((429, {}, {name: value}), (200, GOOD, {})) as url:
            start = time.monotonic()
            complete(url)
        assert time.monotonic() - start >= 0.3

    @pytest.mark.parametrize("value", ["inf", "nan"])
    def test_a_wait_without_end_leaves_the_back_off(self, value: str) -> None:
        with answering((429, {}, {"Retry-After": value}), (200, GOOD, {})) as url:
            assert complete(url).text == "hi"

    def test_a_wait_of_hours_stops_the_run_and_says_who_asks_for_it_how_long_and_why(self) -> None:
        meter = Meter()
        with (
            answering((429, {"error": {"message": "Daily limit reached"}}, {"Retry-After": "86400"})) as url,
            pytest.raises(Stopped, match=r"asks to wait 24 hours, until .*Daily limit reached"),
        ):
            complete(url, meter=meter)
        assert meter.requests == 1

    def test_a_wait_that_is_waited_for_is_said_once(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("memreason.llm.openai_api._WORTH_SAYING", 0.1)
        caplog.set_level("INFO", logger="memreason")
        with answering((429, {"error": {"message": "slow down"}}, {"Retry-After": "0.3"}), (200, GOOD, {})) as url:
            complete(url)
        assert (
            [record.getMessage() for record in caplog.records if "slow down" in record.getMessage()]
            == [line for line in caplog.messages if "asks to wait 0.3 seconds, until" in line]
            != []
        )

    @pytest.mark.parametrize(
        "body",
        [{"error": {"message": "Overloaded", "code": 502}}, {"object": "error", "message": "busy", "code": 503},
         {"choices": [{"message": {"content": ""}, "finish_reason": "error"}], "usage": None}],
        ids=str,
    )  # fmt: skip
    def test_a_failure_that_says_200_is_retried_as_any(self, body: Any) -> None:
        meter = Meter()
        with answering((200, body, {}), (200, body, {}), (200, GOOD, {})) as url:
            assert complete(url, meter=meter).text == "hi"
        assert (meter.requests, meter.retries) == (3, 2)

    def test_what_it_said_is_in_the_message(self) -> None:
        body = {"error": {"message": "Rate limit exceeded: free today", "code": 429}}
        with answering((200, body, {})) as url, pytest.raises(RequestFailed, match=r"status 429.*Rate limit exceeded"):
            complete(url, retries=1)

    def test_one_429_holds_back_the_others_too(self) -> None:
        async def ask(url: str) -> float:
            endpoint = OpenAIEndpoint(Meter(), base_url=url)
            first = asyncio.create_task(endpoint.complete(REQUEST))
            await asyncio.sleep(0.15)
            start = time.monotonic()
            await endpoint.complete(REQUEST)
            took = time.monotonic() - start
            await first
            await endpoint.close()
            return took

        with answering((429, {}, {"Retry-After": "0.5"}), (200, GOOD, {})) as url:
            assert asyncio.run(ask(url)) >= 0.2


class TestEnds:
    @pytest.mark.parametrize(("status", "says"), [(401, "refused the key"), (403, "access"), (404, "model or address")])
    def test_a_refusal_altogether_is_the_users_to_mend_and_never_shows_the_key(self, status: int, says: str) -> None:
        body = {"error": {"message": f"not with Bearer {KEY}, {KEY[:4]}…"}}
        with answering((status, body, {})) as url, pytest.raises(UserError, match=says) as caught:
            complete(url)
        assert KEY not in str(caught.value)
        assert "[key]" in str(caught.value)

    def test_the_scripted_server_refuses_another_key_than_its_own(self) -> None:
        with ScriptedServer(key="another").running() as url, pytest.raises(UserError, match="401") as caught:
            complete(url)
        assert KEY not in str(caught.value)

    @pytest.mark.parametrize(
        ("status", "body"),
        [(429, {"error": {"message": "pay", "code": "insufficient_quota"}}), (402, {"error": {"message": "pay"}})],
    )
    def test_a_used_up_quota_stops_the_run_at_once(self, status: int, body: Any) -> None:
        meter = Meter()
        with answering((status, body, {})) as url, pytest.raises(Stopped, match="quota"):
            complete(url, meter=meter)
        assert meter.requests == 1

    def test_an_error_of_200_ends_a_run_as_its_status_does(self) -> None:
        with (
            answering((200, {"error": {"message": "who?", "code": 401}}, {})) as url,
            pytest.raises(UserError, match="401"),
        ):
            complete(url)
        with (
            answering((200, {"error": {"message": "pay", "code": 402}}, {})) as url,
            pytest.raises(Stopped, match="quota"),
        ):
            complete(url)

    @pytest.mark.parametrize("status", [400, 403, 200])
    def test_a_prompt_that_a_content_filter_refuses_is_answered_and_the_endpoint_is_up(self, status: int) -> None:
        body = {"error": {"message": "The prompt triggered the content management policy.", "code": "content_filter"}}
        meter = Meter()
        with answering((status, body, {})) as url:
            reply = complete(url, times=5, retries=0, down_after=2, meter=meter)
        assert (reply.finish_reason, meter.requests) == ("content_filter", 5)
        assert "content management policy" in reply.text

    def test_many_failures_in_a_row_stop_the_run(self) -> None:
        with answering((500, {}, {})) as url, pytest.raises(Stopped, match="3 requests in a row"):
            complete(url, times=3, retries=0, down_after=3)

    def test_a_reply_in_between_starts_the_count_anew(self) -> None:
        fail = (500, {}, {})
        with answering(fail, fail, (200, GOOD, {}), fail) as url, pytest.raises(RequestFailed):
            complete(url, times=5, retries=0, down_after=3)


class TestDialect:
    @pytest.mark.parametrize(
        ("refused", "absent"),
        [("response_format", "response_format"), ("temperature", "temperature"), ("max_tokens", "max_tokens")],
    )
    def test_what_a_server_refuses_is_learnt_once_and_not_sent_again(self, refused: str, absent: str) -> None:
        server = ScriptedServer(refuses=(refused,))
        with server.running() as url:
            complete(url, times=4)
        assert absent not in server.bodies[-1]
        assert server.counts["requests"] - 4 == (2 if refused == "response_format" else 1)

    def test_a_server_that_refuses_everything_is_still_understood(self) -> None:
        server = ScriptedServer(refuses=("response_format", "temperature", "max_tokens"))
        with server.running() as url:
            assert json.loads(complete(url).text) == {"answer": "B"}
        assert server.bodies[-1]["max_completion_tokens"] == 50

    def test_a_refusal_of_something_else_teaches_nothing(self) -> None:
        assert learnt(Dialect(), "the context is too long") is None
        assert learnt(Dialect("none", "max_completion_tokens", False), "response_format temperature") is None

    def test_the_body_asks_for_json_as_strictly_as_the_dialect_says(self) -> None:
        def asked(structured: str) -> Any:
            return request_body(REQUEST, Dialect(structured)).get("response_format")

        assert asked("json_schema")["json_schema"]["schema"] == {"type": "object"}
        assert asked("json_object") == {"type": "json_object"}
        assert asked("none") is None


class TestReadCompletion:
    def reply(self, message: dict[str, Any], reason: str | None = "stop") -> Reply:
        return read_completion({"choices": [{"message": message, "finish_reason": reason}]})

    def test_no_content_is_an_empty_reply(self) -> None:
        assert self.reply({"content": None}).text == ""
        assert self.reply({}, None) == Reply("", "stop")

    def test_refusals_and_content_filters_are_told_apart_from_replies(self) -> None:
        assert self.reply({"content": None, "refusal": "I will not"}) == Reply("I will not", "refusal", 0, 2)
        assert self.reply({"content": ""}, "content_filter").finish_reason == "content_filter"

    def test_half_an_emoji_does_not_reach_the_files(self) -> None:
        assert self.reply({"content": "a \ud83d"}).text == "a ?"


class TestSettings:
    def test_openai_itself_needs_a_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        with pytest.raises(UserError, match="OPENAI_API_KEY"):
            OpenAIEndpoint(Meter())

    def test_a_server_of_ones_own_does_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        with answering((200, GOOD, {})) as url:
            assert complete(url).text == "hi"

    def test_the_key_may_come_from_another_variable_with_white_space_around_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MY_KEY", " mine\n")
        with ScriptedServer(key="mine").running() as url:
            assert complete(url, key_variable="MY_KEY").text

    @pytest.mark.parametrize("key", ["sk-a\nsk-b", "sk-…abc"])
    def test_a_key_that_cannot_be_one_is_refused_without_showing_it(
        self, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with pytest.raises(UserError, match="OPENAI_API_KEY") as caught:
            OpenAIEndpoint(Meter())
        assert key not in str(caught.value)

    def test_a_query_in_the_address_is_sent_with_every_request_and_never_shown(self) -> None:
        seen: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                seen.append(self.path)
                self.send_error(500, explain=f"no such key in {self.path}")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(RequestFailed) as failed:
            complete(f"http://127.0.0.1:{server.server_port}/v1/?key=planted%2F9876%3D&version=2", retries=0)
        server.shutdown()
        server.server_close()
        assert seen == ["/v1/chat/completions?key=planted%2F9876%3D&version=2"]
        assert "planted" not in str(failed.value) and "[key]" in str(failed.value)

    def test_an_address_without_a_scheme_is_refused_before_the_first_request(self) -> None:
        with pytest.raises(UserError, match="--base_url localhost:8000/v1"):
            OpenAIEndpoint(Meter(), base_url="localhost:8000/v1")
