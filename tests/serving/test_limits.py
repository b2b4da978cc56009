"""A full queue, time-outs, clients that hang up, a broken engine, and the end: nothing hangs, no place stays taken."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from helpers.serving import client, held, running, until
from helpers.tiny import SOLUTIONS

from memreason.generation.request import Request
from memreason.records import Question
from memreason.serving import app, gate
from memreason.serving.server import Server

ASK: dict[str, Any] = {"model": "capitals", "messages": [{"role": "user", "content": SOLUTIONS[0].question.text}]}


def idle(server: Server) -> bool:
    return not (server.service.thread.jobs or server.service.engine.waiting or server.service.engine.under_way)


def raw(address: str, body: str, headers: str = "") -> socket.socket:
    """A connection over which a chat request was sent."""
    parts = urlsplit(address)
    connection = socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=60)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return connection


def count(server: Server, name: str) -> float:
    page = server.service.metrics.page().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in page if line.startswith(name))


def test_what_the_queue_cannot_hold_is_sent_away_with_a_time_to_come_again(checkpoint: Path) -> None:
    with running(checkpoint, batch_size=1, max_waiting=3, max_n=3) as (server, address), ThreadPoolExecutor() as pool:
        with held(server.service.engine):
            first = pool.submit(client(address).chat.completions.create, **ASK, n=2, temperature=1.0, max_tokens=5)
            until(lambda: server.service.engine.waiting == 2)
            with pytest.raises(openai.RateLimitError) as caught:
                client(address).chat.completions.create(**ASK, n=2, temperature=1.0)
            assert int(caught.value.response.headers["Retry-After"]) >= 1
            one = pool.submit(client(address).chat.completions.create, **ASK)
            until(lambda: server.service.engine.waiting == 3)
        assert len(first.result(60).choices) == 2 and len(one.result(60).choices) == 1
        until(lambda: idle(server))


def test_an_answer_that_takes_too_long_ends_with_an_error_and_frees_its_place(checkpoint: Path) -> None:
    with running(checkpoint, batch_size=2, timeout=0.3) as (server, address):
        with held(server.service.engine):
            with pytest.raises(openai.InternalServerError) as caught:
                client(address).chat.completions.create(**ASK)
            assert caught.value.status_code == 504 and caught.value.code == "timeout"
            with pytest.raises(openai.APIError, match=r"within 0\.3 seconds"):
                list(client(address).chat.completions.create(**ASK, stream=True))
            until(lambda: not server.service.thread.jobs)
        until(lambda: idle(server))


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_while_it_waits(served: tuple[Server, str], stream: bool) -> None:
    server, address = served
    cancelled = count(server, 'memreason_answers_total{finish_reason="cancelled"}')
    with held(server.service.engine):
        connection = raw(address, json.dumps({**ASK, "n": 3, "temperature": 1, "stream": stream}))
        until(lambda: server.service.engine.waiting == 3)
        connection.close()
        until(lambda: not server.service.thread.jobs)
    until(lambda: idle(server))
    until(lambda: count(server, 'memreason_answers_total{finish_reason="cancelled"}') >= cancelled + 3)


def test_a_client_that_hangs_up_half_way(served: tuple[Server, str]) -> None:
    server, address = served
    stream = client(address).chat.completions.create(**ASK, n=4, temperature=5.0, seed=1, stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content != "":
            break
    stream.close()
    until(lambda: idle(server))


def test_a_client_that_does_not_read(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "READ_SECONDS", 0.1)
    much = {"n": 40, "temperature": 5.0, "logprobs": True, "top_logprobs": 20, "stream": True}
    with running(checkpoint, timeout=1) as (server, address), raw(address, json.dumps({**ASK, **much})):
        until(lambda: bool(server.service.thread.jobs))
        until(lambda: idle(server))


def test_a_client_that_hangs_up_before_its_request_is_whole(served: tuple[Server, str]) -> None:
    before = count(served[0], "memreason_requests_total")
    connection = raw(served[1], "{", "Expect: 100-continue\r\nX: y\r\n")
    connection.close()
    raw(served[1], '{"model": ').close()
    until(lambda: count(served[0], "memreason_requests_total") == before + 2)


def test_a_body_that_does_not_come(served: tuple[Server, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.1)
    parts = urlsplit(served[1])
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=60) as connection:
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 10\r\n\r\n{")  # fmt: skip
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, json.load(answer)["error"]["code"]) == (408, None)


def test_a_long_body_without_a_stated_length(served: tuple[Server, str]) -> None:
    parts = urlsplit(served[1])
    connection = http.client.HTTPConnection(str(parts.hostname), int(parts.port or 0), timeout=60)
    connection.request("POST", "/v1/completions", (b"x" * 50_000 for _ in range(20)),
                       {"Content-Type": "application/json"}, encode_chunked=True)  # fmt: skip
    assert connection.getresponse().status == 413
    connection.close()


def test_requests_that_came_together_on_one_connection(served: tuple[Server, str]) -> None:
    body = json.dumps({**ASK, "max_tokens": 2})
    with raw(served[1], body) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200") == 2 and received.endswith(b'{"status":"ok"}')


def test_a_broken_engine_is_told_to_all_and_the_server_is_not_healthy(checkpoint: Path) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    with running(checkpoint) as (server, address), ThreadPoolExecutor() as pool:
        with held(server.service.engine):
            whole = pool.submit(client(address).chat.completions.create, **ASK)
            streamed = pool.submit(lambda: list(client(address).chat.completions.create(**ASK, stream=True)))
            until(lambda: len(server.service.thread.jobs) == 2)
            server.service.engine.submit(Request(Question("q", "Is Rome old?", "")), on_token=fail)
        with pytest.raises(openai.InternalServerError) as caught:
            whole.result(60)
        assert (caught.value.status_code, caught.value.code) == (500, "engine_failed")
        with pytest.raises(openai.APIError, match="failed"):
            streamed.result(60)
        with pytest.raises(openai.InternalServerError) as caught:
            client(address).chat.completions.create(**ASK)
        assert caught.value.status_code == 503
        with pytest.raises(openai.InternalServerError):
            openai.OpenAI(base_url=address, api_key="x", max_retries=0).get("/health", cast_to=object)


def test_the_end_waits_for_answers_under_way_and_takes_no_new_ones(checkpoint: Path) -> None:
    with running(checkpoint) as (server, address), ThreadPoolExecutor() as pool:
        with held(server.service.engine):
            under_way = pool.submit(client(address).chat.completions.create, **ASK)
            until(lambda: bool(server.service.thread.jobs))
            server.handle_exit(signal.SIGTERM, None)
            with pytest.raises(openai.InternalServerError) as caught:
                client(address).chat.completions.create(**ASK)
            assert (caught.value.status_code, caught.value.code) == (503, "stopping")
            assert "Retry-After" in caught.value.response.headers
            assert not under_way.done()
        assert under_way.result(60).choices[0].finish_reason == "stop"
        until(lambda: closed(address))
        assert server.exit_code == 0


def test_a_second_signal_does_not_wait(checkpoint: Path) -> None:
    with running(checkpoint) as (server, address), ThreadPoolExecutor() as pool, held(server.service.engine):
        under_way = pool.submit(client(address).chat.completions.create, **ASK)
        until(lambda: bool(server.service.thread.jobs))
        before = signal.getsignal(signal.SIGTERM)
        try:
            server.handle_exit(signal.SIGTERM, None)
            server.handle_exit(signal.SIGTERM, None)
        finally:
            signal.signal(signal.SIGTERM, before)
        with pytest.raises(openai.InternalServerError, match="stopped"):
            under_way.result(60)
        assert server.exit_code == 128 + signal.SIGTERM


@pytest.mark.slow
def test_the_command_serves_until_a_signal(checkpoint: Path) -> None:
    command = [sys.executable, "-m", "memreason", "serve", str(checkpoint), "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        address = process.stdout.readline().split()[-1].removesuffix("/v1")
        stream = client(address).chat.completions.create(**ASK, stream=True)
        next(iter(stream))
        process.send_signal(signal.SIGTERM)
        assert [chunk.choices[0].finish_reason for chunk in stream][-1] == "stop"
        assert process.wait(60) == 0
    finally:
        process.kill()


def closed(address: str) -> bool:
    parts = urlsplit(address)
    try:
        socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=60).close()
    except OSError:
        return True
    return False
