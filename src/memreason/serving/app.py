"""The routes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from memreason.serving.errors import ApiError
from memreason.serving.orders import Order, Reader
from memreason.serving.page import Page
from memreason.serving.page_asking import add_asking
from memreason.serving.parameters import ChatParameters, CompletionParameters
from memreason.serving.replies import Envelope
from memreason.serving.service import Service
from memreason.serving.streams import READ_SECONDS, EventStream
from memreason.serving.viewer import base_app

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

    app = base_app(
        page, lifespan, metrics=service.metrics, refuse_new=service.refuse_new, key=key, max_bytes=max_request_bytes
    )
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
