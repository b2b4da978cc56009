"""Asynchronous batches of an OpenAI-compatible endpoint: a file of requests, later a file of replies, at half price."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import openai

from memreason.errors import UserError
from memreason.llm.base import Reply, Request
from memreason.llm.completions import error_words, is_filtered, read_completion
from memreason.llm.openai_api import Dialect, OpenAIEndpoint, learnt, request_body

MOST_REQUESTS = 50_000
"""The most requests in one batch (OpenAI's limit)."""
MOST_BYTES = 180_000_000
"""The most bytes in the file of one batch (OpenAI's limit is 200 MB)."""
_WINDOW = "24h"
_ENDED = ("completed", "expired", "cancelled", "failed")


class BatchLost(Exception):
    """A batch will never have replies; its requests must be submitted again."""


class Answered(NamedTuple):
    """One line of a batch's result: the reply, or why there is none. ``key`` None: the line names no request."""

    key: str | None
    reply: Reply | None
    why: str = ""


def batch_line(key: str, request: Request, endpoint: OpenAIEndpoint) -> str:
    """A request as a line of a batch's input file."""
    body = {**request_body(request, endpoint.dialect), **request.extra}
    return json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n"


async def submit(endpoint: OpenAIEndpoint, file: Path, name: str) -> str:
    """Upload the requests, start the batch, and return its id. `find` can find the batch again by its ``name``.

    Raises UserError if the endpoint does not accept it.
    """
    with _explained(endpoint):
        try:
            with open(file, "rb") as content:
                uploaded = await endpoint.client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
            batch = await endpoint.client.batches.create(
                input_file_id=uploaded.id,
                endpoint="/v1/chat/completions",
                completion_window=_WINDOW,  # type: ignore[arg-type]
                metadata={"memreason": name},
            )
        except openai.APIStatusError as error:
            raise UserError(
                f"{endpoint.endpoint} did not take the batch ({error.status_code}): "
                f"{endpoint.clean(error.response.text)}; leave out --batch if the endpoint has no batches"
            ) from None
        return _id(batch)


async def find(endpoint: OpenAIEndpoint, name: str) -> str | None:
    """The id of the batch that was submitted under ``name``; None if there is none."""
    with _explained(endpoint):
        async for batch in endpoint.client.batches.list():
            if (batch.metadata or {}).get("memreason") == name:
                return _id(batch)
    return None


@contextmanager
def _explained(endpoint: OpenAIEndpoint) -> Iterator[None]:
    """Raise UserError for an error or an unusable answer of the endpoint: the same command may work later."""
    try:
        yield
    except openai.APIError as error:
        why = str(error.__cause__ or error)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        why = f"its answer is no batch ({type(error).__name__}: {error})"
    else:
        return
    raise UserError(f"{endpoint.endpoint}: {endpoint.clean(why)}; run the same command again")


def _id(batch: Any) -> str:
    if not isinstance(batch.id, str) or not batch.id:
        raise ValueError("it has no id")
    return batch.id


async def wait(endpoint: OpenAIEndpoint, id: str, poll_seconds: float, say: Any) -> Any:
    """Poll until the batch has ended, and return it.

    ``say`` is called with a line for the user when the state changes. A poll that fails is tried again. Raises
    BatchLost if the endpoint does not know the batch, UserError if it refuses access.
    """
    shown = None
    while True:
        try:
            batch = await endpoint.client.batches.retrieve(id)
        except openai.APIStatusError as error:
            if error.status_code == 404:
                raise BatchLost(f"{endpoint.endpoint} knows no batch {id}") from None
            if error.status_code in (401, 403):
                raise UserError(f"{endpoint.endpoint}: batch {id}: {endpoint.clean(error.response.text)}") from None
        except (openai.APIError, ValueError, RecursionError):
            pass
        else:
            status, counts = getattr(batch, "status", "no batch"), getattr(batch, "request_counts", None)
            state = f"{status}, {getattr(counts, 'completed', 0)} of {getattr(counts, 'total', '?')} done"
            if state != shown:
                say(f"batch {id}: {endpoint.clean(state)}")
                shown = state
            if status in _ENDED:
                return batch
        await asyncio.sleep(poll_seconds)


async def collect(endpoint: OpenAIEndpoint, batch: Any) -> Iterator[Answered]:
    """Every line of the output and error files of a batch that has ended. Raises BatchLost if there are no files.

    If the endpoint refused a parameter, later requests leave it out, as in `OpenAIEndpoint.complete`.
    """
    texts = []
    with _explained(endpoint):
        for id in (batch.output_file_id, batch.error_file_id):
            if id:
                texts.append((await endpoint.client.files.content(id)).text)
        if not texts:
            errors = batch.errors.data if batch.errors and batch.errors.data else []
            why = endpoint.clean("; ".join(str(error.message) for error in errors)) or "no reason given"
            raise BatchLost(f"{endpoint.endpoint}: batch {batch.id} {batch.status} without any reply: {why}")
    sent = endpoint.dialect
    # Not splitlines(): it would also split at other line breaks, which may stand inside a JSON text.
    lines = (line for text in texts for line in text.split("\n") if line.strip())
    return (_answered(endpoint, sent, _parsed(line)) for line in lines)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line


def _answered(endpoint: OpenAIEndpoint, sent: Dialect, line: Any) -> Answered:
    row = _object(line)
    key = row.get("custom_id")
    if not isinstance(key, str):
        return Answered(None, None, endpoint.clean(f"a line without custom_id: {str(line)[:200]}"))
    response = _object(row.get("response"))
    status, body = response.get("status_code"), response.get("body")
    if status == 200:
        try:
            return Answered(key, read_completion(body))
        except ValueError as error:
            return Answered(key, None, endpoint.clean(str(error)))
    failure = row.get("error") or _object(body).get("error") or body or response
    text = json.dumps(failure)
    if is_filtered(text):
        return Answered(key, Reply(endpoint.clean(error_words(failure)), "content_filter"))
    if status in (400, 422):
        endpoint.dialect = learnt(sent, text) or endpoint.dialect
    return Answered(key, None, endpoint.clean(text))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
