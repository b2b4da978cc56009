"""The routes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from memreason.serving.errors import ApiError, invalid
from memreason.serving.gate import Gate, respond
from memreason.serving.guard import API
from memreason.serving.metrics import Metrics
from memreason.serving.orders import Order, Reader
from memreason.serving.page import Page
from memreason.serving.page_asking import add_asking
from memreason.serving.parameters import ChatParameters, CompletionParameters
from memreason.serving.replies import Envelope
from memreason.serving.service import Service
from memreason.serving.streams import READ_SECONDS, EventStream

STOP_SECONDS = 10.0
"""How long the engine's thread may take to end when no answer is under way."""


def make_app(
    service: Service, reader: Reader, key: str | None, max_request_bytes: int, page: Page | None = None
) -> FastAPI:
    """The application; its lifespan is that of the engine's thread."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.thread.stop(STOP_SECONDS)

    app = FastAPI(title="memreason", lifespan=lifespan, openapi_url=None)  # so no page of it either
    app.add_middleware(
        Gate,  # type: ignore[arg-type]
        metrics=service.metrics,
        refuse_new=service.refuse_new,
        key=key,
        max_bytes=max_request_bytes,
        guard=page.guard if page else None,
    )
    _add_errors(app)
    _add_status(app, service, reader)

    async def answered(order: Order, chat: bool, request: Request) -> Response:
        envelope = Envelope(reader.name, chat, order.decoding.seed if order.decoding.temperature else None)
        if not order.stream:
            return JSONResponse(await service.answer(order, envelope, request.receive))
        job = service.admit(order)
        return EventStream(service.stream(order, envelope, job), job, service.timeout + READ_SECONDS)

    @app.post("/v1/chat/completions")
    async def chat(body: ChatParameters, request: Request) -> Response:
        return await answered(reader.chat(body), True, request)

    @app.post("/v1/completions")
    async def completions(body: CompletionParameters, request: Request) -> Response:
        return await answered(reader.completion(body), False, request)

    if page:
        page.add_to(app)
        add_asking(app, service, reader)
    return app


def make_viewer(page: Page, max_request_bytes: int) -> FastAPI:
    """The application of a page without a model: runs can be looked at, and nothing can be asked."""
    app = FastAPI(title="memreason", openapi_url=None)
    app.add_middleware(
        Gate,  # type: ignore[arg-type]
        metrics=Metrics(lambda: 0, lambda: 0),
        refuse_new=lambda: None,
        key=None,
        max_bytes=max_request_bytes,
        guard=page.guard,
    )
    _add_errors(app)
    page.add_to(app)

    @app.get(f"{API}model")
    async def model() -> dict[str, None]:
        return {"name": None}

    return app


def _add_status(app: FastAPI, service: Service, reader: Reader) -> None:
    model = {
        "id": reader.name,
        "object": "model",
        "created": int(time.time()),
        "owned_by": "memreason",
        "max_model_len": service.engine.unit.manifest.model_max_length,
    }

    @app.get("/v1/models")
    async def models() -> Response:
        return JSONResponse({"object": "list", "data": [model]})

    @app.get("/v1/models/{name:path}")
    async def one_model(name: str) -> Response:
        if name != reader.name:
            raise ApiError(404, f"the model {name!r} does not exist", "model_not_found", "model")
        return JSONResponse(model)

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": service.state}, 200 if service.state == "ok" else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


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
