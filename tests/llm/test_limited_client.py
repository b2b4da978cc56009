"""Against any server a request ends, and no reply fills the memory."""

import asyncio
import contextlib
import gzip
import socket
import threading
from collections.abc import Iterator

import pytest

from memreason.errors import UserError
from memreason.llm import limited_client
from memreason.llm.base import Request, RequestFailed
from memreason.llm.meter import Meter
from memreason.llm.openai_api import OpenAIEndpoint

REQUEST = Request("m", ({"role": "user", "content": "hi"},), "answer", {})
GOOD = b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextlib.contextmanager
def sending(*pieces: bytes, pause: float = 0.0, again: int = 0) -> Iterator[str]:
    """A server that sends these pieces, with a pause after each, and the last one ``again`` times; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), connection:
                    connection.recv(65536)
                    for piece in (*pieces, *(pieces[-1:] * again)):
                        connection.sendall(piece)
                        if ended.wait(pause):
                            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        ended.set()
        listener.close()


def ask(url: str, timeout: float = 5.0) -> str:
    async def complete() -> str:
        endpoint = OpenAIEndpoint(Meter(), base_url=url, timeout=timeout, retries=0)
        try:
            return (await endpoint.complete(REQUEST)).text
        finally:
            await endpoint.close()

    return asyncio.run(complete())


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_a_body_a_byte_at_a_time_is_given_up_after_the_time_out() -> None:
    with (
        sending(HEAD + b"Content-Length: 1000\r\n\r\n", b" ", pause=0.05, again=1000) as url,
        pytest.raises(RequestFailed, match=r"no whole reply within 0\.3 seconds"),
    ):
        ask(url, 0.3)


def test_so_are_headers_a_byte_at_a_time_and_events_without_end() -> None:
    with (
        sending(b"HTTP/1.1 200 OK\r\n", b"x", pause=0.05, again=1000) as url,
        pytest.raises(RequestFailed, match="whole"),
    ):
        ask(url, 0.3)
    events = HEAD.replace(b"application/json", b"text/event-stream") + b"Connection: close\r\n\r\n"
    with sending(events, b"data: {}\n\n", pause=0.02, again=1000) as url, pytest.raises(RequestFailed, match="whole"):
        ask(url, 0.3)


@pytest.mark.parametrize("status", [b"200 OK", b"500 Broken"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_small_compressed_body_that_unfolds_is_cut_off(
    status: bytes, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_client, "MOST_BYTES", 1 << 20)
    body = b"0" * (200 << 20) if times == 2 else b"0" * (20 << 20)
    for _ in range(times):
        body = gzip.compress(body, 1)
    encoding = b", ".join([b"gzip"] * times)
    head = HEAD.replace(b"200 OK", status) + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (
        encoding,
        len(body),
    )
    with sending(head + body) as url, pytest.raises(RequestFailed, match="larger than 1 MB"):
        ask(url)


def test_a_compressed_reply_is_read() -> None:
    body = gzip.compress(GOOD)
    with sending(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body) as url:
        assert ask(url) == "hi"


@pytest.mark.parametrize("charset", [b"base64", b"rot13", b"undefined", b"idna", b"nothing", b"gbk"])
@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad"])
def test_an_encoding_that_is_none_of_texts(status: bytes, charset: bytes) -> None:
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json; charset=%s\r\n" % (status, charset)
    with sending(head + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD) as url:
        if status == b"200 OK":
            assert ask(url) == "hi"
        else:
            with pytest.raises(RequestFailed, match=r"refused \(400"):
                ask(url)


def test_a_redirect_is_followed_and_a_circle_is_not() -> None:
    with sending(HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD) as there:
        moved = b"HTTP/1.1 307 Moved\r\nLocation: %s/chat/completions\r\nContent-Length: 0\r\n\r\n" % there.encode()
        with sending(moved) as url:
            assert ask(url) == "hi"
    with (
        sending(
            b"HTTP/1.1 307 Moved\r\nLocation: /v1/chat/completions\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ) as url,
        pytest.raises((RequestFailed, UserError), match="redirects"),
    ):
        ask(url)
