"""An application behind uvicorn, and the page without a model, which needs none of what loads one. No torch."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from memreason.serving.errors import ApiError, invalid
from memreason.serving.gate import Gate, respond
from memreason.serving.guard import API
from memreason.serving.metrics import Metrics
from memreason.serving.page import Page

_FLUSH_SECONDS = 5
"""How long the last responses may take on their way to slow clients."""


def base_app(page: Page | None, lifespan: Any = None, **gate: Any) -> FastAPI:
    """An application behind a `Gate` with these parameters, with the answers to errors; no routes yet."""
    app = FastAPI(title="memreason", lifespan=lifespan, openapi_url=None)  # so no page of it either
    app.add_middleware(Gate, guard=page.guard if page else None, **gate)  # type: ignore[arg-type]
    _add_errors(app)
    return app


def make_viewer(page: Page, max_request_bytes: int) -> FastAPI:
    """The application of a page without a model: runs can be looked at, and nothing can be asked."""
    app = base_app(
        page, metrics=Metrics(lambda: 0, lambda: 0), refuse_new=lambda: None, key=None, max_bytes=max_request_bytes
    )
    page.add_to(app)

    @app.get(f"{API}model")
    async def model() -> dict[str, None]:
        return {"name": None}

    return app


class Listening(uvicorn.Server):
    """An application behind uvicorn. Subclasses say what a signal does."""

    def __init__(self, app: FastAPI, page: Page | None, on_ready: Callable[[str], None]):
        super().__init__(
            uvicorn.Config(app, ws="none", log_config=None, access_log=False, server_header=False, proxy_headers=False,
                           timeout_graceful_shutdown=_FLUSH_SECONDS)
        )  # fmt: skip
        self.exit_code = 0
        self._on_ready, self._page = on_ready, page

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, when the application is ready (called by uvicorn)."""
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            address = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
            self._on_ready(self._page.address(address) if self._page else address)


class Viewer(Listening):
    """A page without a model. A signal ends it."""

    def __init__(self, page: Page, max_request_bytes: int, on_ready: Callable[[str], None] = lambda _: None):
        super().__init__(make_viewer(page, max_request_bytes), page, on_ready)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does (called by uvicorn)."""
        self.should_exit = True


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        return respond(invalid(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        what = f"{request.method} {request.url.path}"
        said = {404: f"there is no {what} here", 405: f"{what} is not possible", 400: "the body is not valid JSON"}
        return respond(ApiError(error.status_code, said.get(error.status_code, error.detail), headers=error.headers))

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return respond(ApiError(500, "the server made a mistake; its log says more"))
