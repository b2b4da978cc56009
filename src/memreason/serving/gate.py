"""What every request passes before a route sees it: the end, the key, the kind and length of its body, the count."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from memreason.serving.errors import ApiError
from memreason.serving.guard import API, Guard, bears
from memreason.serving.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

BODY_SECONDS = 30.0
"""Seconds in which the body of a request must have come."""
ROUTES = ("/v1/models", "/v1/chat/completions", "/v1/completions", "/health", "/metrics", "/web")
HUNG_UP = 499
"""The status by which requests are counted whose client hung up before the response began."""


class HungUp(Exception):
    """The client has closed the connection."""


@dataclass
class Gate:
    """ASGI middleware around ``app``. ``refuse_new`` raises ApiError where new work is not taken at all; ``guard`` is
    that of the page, where there is one."""

    app: App
    metrics: Metrics
    refuse_new: Callable[[], None]
    key: str | None
    max_bytes: int
    guard: Guard | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request, or the lifespan of the server."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.monotonic(), HUNG_UP
        route = next((route for route in ROUTES if scope["path"].startswith(route)), "other")

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", uuid.uuid4().hex.encode())]
            await send(message)

        try:
            self._check(scope)
            await self.app(scope, _again(await self._body(scope, receive), receive), counted)
        except HungUp:  # nobody reads a response; the status is what /metrics counts
            pass
        except ApiError as error:
            await respond(error)(scope, receive, counted)
        except Exception:  # what answers it stands outside of this
            status = 500
            raise
        finally:
            self.metrics.requests.labels(route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(time.monotonic() - start)

    def _check(self, scope: MutableMapping[str, Any]) -> None:
        path, headers = scope["path"], Headers(scope=scope)  # type: ignore[arg-type]
        if self.guard:
            self.guard.check(path, headers)
        if not path.startswith(("/v1/", API)):
            return
        if not path.startswith(API):
            self._check_client(headers)
        # Only of this kind: a web page can make a browser send other kinds to this machine without asking it first.
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] == "POST" and kind != "application/json":
            raise ApiError(415, "send the body as JSON, with the header Content-Type: application/json")
        if (length := headers.get("content-length", "")).isdigit() and int(length) > self.max_bytes:
            raise self._too_long()

    def _check_client(self, headers: Headers) -> None:
        self.refuse_new()
        if self.key is not None and not bears(headers, self.key):
            if not headers.get("authorization", "").partition(" ")[2]:
                raise _unauthorized("no API key was given; send it as Authorization: Bearer KEY", None)
            raise _unauthorized("this API key is not the right one", "invalid_api_key")

    async def _body(self, scope: MutableMapping[str, Any], receive: Receive) -> bytes:
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise HungUp
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > self.max_bytes:
                        raise self._too_long()
        except TimeoutError:
            message_ = f"the body did not come within {BODY_SECONDS:.0f} seconds"
            raise ApiError(408, message_, headers={"Connection": "close"}) from None
        return bytes(body)

    def _too_long(self) -> ApiError:
        return ApiError(413, f"the body is too long; {self.max_bytes} bytes are the most", "request_too_large")


def respond(error: ApiError) -> JSONResponse:
    """The response that reports an error."""
    return JSONResponse(error.body(), error.status, error.headers)


def _unauthorized(message: str, code: str | None) -> ApiError:
    return ApiError(401, message, code, headers={"WWW-Authenticate": "Bearer"})


def _again(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the whole body first, and then what comes: the end of the connection."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
