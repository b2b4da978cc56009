"""The routes by which the page asks, and changes what was answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi.responses import Response

from memreason.generation.request import Answer, Request
from memreason.planning_tokens.layout import EACH_STEP, FRONT
from memreason.serving.engine_thread import Job
from memreason.serving.guard import API
from memreason.serving.orders import Reader
from memreason.serving.page_orders import PageReader
from memreason.serving.page_parameters import Asked, Continued, Worded
from memreason.serving.page_replies import PageWriter, wordings_of
from memreason.serving.replies import Json
from memreason.serving.service import Service
from memreason.serving.streams import READ_SECONDS, EventStream


def add_asking(app: FastAPI, service: Service, reader: Reader) -> None:
    """Add the routes to an application."""
    unit = service.engine.unit
    pages = PageReader(unit, reader.max_n)

    @app.get(f"{API}model")
    async def model() -> Json:
        layout = unit.layout
        return {
            "name": reader.name,
            "types": list(layout.known_types),
            "editable": layout.placement in (EACH_STEP, FRONT),
        }

    def streamed(request: Request) -> Response:
        job = service.submit([request], tokens=True)
        said = _told(service, PageWriter(pages, service.texts, request), job)
        return EventStream(service.events(said), job, service.timeout + READ_SECONDS)

    @app.post(f"{API}ask")
    async def ask(body: Asked) -> Response:
        return streamed(pages.asked(body))

    @app.post(f"{API}continue")
    async def go_on(body: Continued) -> Response:
        return streamed(pages.continued(body))

    @app.post(f"{API}wordings")
    async def wordings(body: Worded, request: HttpRequest) -> Json:
        requests = pages.wordings(body)
        job = service.submit(requests, tokens=False)
        answers = await service.gathered(job, 1 + body.n, request.receive)
        return {"wordings": wordings_of(answers, requests[0].generated, body.step, pages.marks(body.type)), "n": body.n}


async def _told(service: Service, writer: PageWriter, job: Job) -> AsyncIterator[Json]:
    """What is told of one answer. Raises TimeoutError where it takes too long, and ApiError where it does not come."""
    deadline = asyncio.get_running_loop().time() + service.timeout
    yield writer.take()
    while True:
        async with asyncio.timeout_at(deadline):
            events = await job.news()
        done = None
        for _, news in events:
            if isinstance(news, Answer):
                done = writer.end(news)
            else:
                writer.add(news)
        yield writer.take()
        if done:
            yield {"done": done}
            return
