"""A server in this process, and an engine that can be held."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import openai

from memreason.generation.engine import Engine
from memreason.generation.request import Request
from memreason.records import Question
from memreason.serving.config import ServeConfig
from memreason.serving.page import Page
from memreason.serving.server import Server
from memreason.serving.viewer import Listening

Listens = TypeVar("Listens", bound=Listening)


@contextlib.contextmanager
def running(
    checkpoint: Path, key: str | None = None, page: Page | None = None, **options
) -> Iterator[tuple[Server, str]]:
    """A server for a checkpoint, on a free port; yields it with its address, http://127.0.0.1:PORT. With a ``page``,
    that is at /web."""
    config = ServeConfig(str(checkpoint), device="cpu", **options)
    with listening(lambda on_ready: Server(config, key, on_ready, page)) as both:
        yield both


@contextlib.contextmanager
def listening(make: Callable[[Callable[[str], None]], Listens]) -> Iterator[tuple[Listens, str]]:
    """What ``make`` makes, on a free port; yields it with its address, http://127.0.0.1:PORT."""
    addresses: list[str] = []
    ready = threading.Event()

    def on_ready(address: str) -> None:
        addresses.append(address.removesuffix("/v1").partition("/web")[0])
        ready.set()

    server = make(on_ready)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
        thread.start()
        assert ready.wait(60)
        try:
            yield server, addresses[0]
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must happen soon."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def client(address: str, key: str = "none", **options) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0, timeout=60, **options)


@contextlib.contextmanager
def held(engine: Engine) -> Iterator[None]:
    """Inside this context the engine stands still in a pass, with one answer under way."""
    begun, released = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        begun.set()
        released.wait(60)

    handle = engine.submit(Request(Question("held", "Is Rome old?", "")), on_token=hold)
    assert begun.wait(60)
    try:
        yield
    finally:
        handle.cancel()
        released.set()
