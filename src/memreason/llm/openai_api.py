"""The client for any OpenAI-compatible endpoint: retries, rate limits, and parameters that a server does not support.

These are tried again, with back-off or after the wait that the server asks for (Retry-After and similar headers): the
statuses 408, 409, 429 and 5xx, dropped connections, time-outs, and bodies that are no chat completion or report an
error. A 429 delays all requests of the run, because the limit is the account's. 401, 403, 404, a used-up quota (402)
and a wait of more than `LONGEST_WAIT` end the run; its rows so far stay valid. If a content filter refuses a prompt,
the reply says so and the run goes on, because the endpoint works.

Some parameters can be left out: structured output, temperature, and max_tokens under its older name. If a server
refuses one of them, the request is sent again without it, and so are all later requests.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

import openai

from memreason.errors import UserError
from memreason.llm.base import STRUCTURED, Reply, Request, RequestFailed, Stopped, check_address, split_address
from memreason.llm.completions import ProviderError, error_words, is_filtered, read_completion
from memreason.llm.limited_client import LimitedClient
from memreason.llm.meter import Meter
from memreason.llm.waits import asked_wait, spell

OPENAI = "https://api.openai.com/v1"
BACKOFF = 0.5
"""Seconds before the second try; the time doubles before each further try, up to a minute."""
_LONGEST_BACKOFF = 60.0
LONGEST_WAIT = 600.0
"""Seconds; if a server asks for a longer wait, the run stops and says so."""
_WORTH_SAYING = 3.0
_SHORTEST_SECRET = 8
_LOG = logging.getLogger("memreason")
_REFUSALS = {401: "refused the key", 403: "refused access", 404: "knows no such model or address"}


@dataclass(frozen=True)
class Dialect:
    """The parameters that an endpoint accepts; found out by trying."""

    structured: str = "json_schema"
    max_tokens: str = "max_tokens"
    temperature: bool = True


class _Failure(NamedTuple):
    """A try that failed.

    ``status`` is the HTTP status (None: there is none), ``message`` the error's message, ``raw`` the whole body, and
    ``wait`` the seconds that the server asks to wait.
    """

    status: int | None
    message: str
    raw: str = ""
    wait: float | None = None


class OpenAIEndpoint:
    """A chat-completions endpoint.

    The key is read from the environment, and is used only in a header of the requests. ``timeout`` is in seconds;
    ``retries`` is the number of tries after the first; the endpoint counts as down after ``down_after`` failed requests
    in a row. Raises UserError for an unusable address, and for a key that is missing or damaged.
    """

    def __init__(
        self,
        meter: Meter,
        *,
        base_url: str | None = None,
        key_variable: str = "OPENAI_API_KEY",
        structured: str = "auto",
        timeout: float = 120.0,
        retries: int = 6,
        down_after: int = 50,
    ):
        address, query = split_address(base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI)
        self.endpoint = address.rstrip("/")
        if not self.endpoint.startswith(("http://", "https://")):
            raise UserError(f"--base_url {self.endpoint}: must begin with http:// or https://")
        check_address("base_url", self.endpoint)
        self.secret = os.environ.get(key_variable, "").strip()
        if not (self.secret.isascii() and self.secret.isprintable()):
            raise UserError(f"the environment variable {key_variable} holds characters that no key has; set it again")
        if not self.secret and self.endpoint == OPENAI:
            raise UserError(
                f"{self.endpoint} needs a key: set the environment variable {key_variable}, or name another endpoint "
                "with --base_url"
            )
        secrets = [self.secret, *(value for value in query.values() if len(value) >= _SHORTEST_SECRET)]
        self._secrets = sorted({form for secret in secrets for form in _spellings(secret)}, key=len, reverse=True)
        self.client = openai.AsyncOpenAI(
            base_url=self.endpoint, api_key=self.secret or "none", max_retries=0, timeout=timeout, default_query=query,
            http_client=LimitedClient(timeout),
        )  # fmt: skip
        self.dialect = Dialect("json_schema" if structured == "auto" else structured)
        self._meter = meter
        self._retries = retries
        self._down_after = down_after
        self.failed_in_a_row = 0
        self._quiet_until = self._said_until = 0.0

    async def complete(self, request: Request) -> Reply:
        """The reply to one request, after as many tries as are needed and allowed.

        Raises RequestFailed if all tries fail, Stopped if the run must end (budget, quota, endpoint down), UserError if
        the endpoint refuses the key, the access or the address.
        """
        tries = 0
        while True:
            await self._meter.admit(request)
            while (quiet := self._quiet_until - time.monotonic()) > 0:
                await asyncio.sleep(quiet)
            dialect = self.dialect
            try:
                reply = await self._send(request, dialect)
            except openai.APIStatusError as error:
                raw, limited = error.response.text, error.status_code in (429, 503)
                failure = _Failure(error.status_code, _message(error), raw, asked_wait(error.response.headers, limited))
            except ProviderError as error:
                failure = _Failure(error.status, str(error), str(error))
            except (openai.APIError, OSError, ValueError, RecursionError) as error:
                failure = _Failure(None, f"{type(error).__name__}: {error.__cause__ or error}")
            else:
                self.failed_in_a_row = 0
                return reply
            if failure.status in (None, 400, 403, 422, 451) and is_filtered(failure.raw):
                self.failed_in_a_row = 0
                return Reply(self.clean(failure.message), "content_filter")
            if self._learn(failure, dialect):
                continue
            why = self._why(failure)
            tries += 1
            if tries > self._retries:
                self._failed(f"{why} (tried {tries} times)")
            self._meter.retries += 1
            backoff = min(_LONGEST_BACKOFF, BACKOFF * 2 ** (tries - 1)) * random.uniform(0.5, 1.0)
            await asyncio.sleep(self._asked(failure, why) or backoff)

    def _asked(self, failure: _Failure, why: str) -> float | None:
        """Seconds that the server asks to wait; a long wait is logged. Raises Stopped if it is too long."""
        wait = failure.wait
        if wait is None:
            return None
        if wait > LONGEST_WAIT:
            raise Stopped(f"{self.endpoint} asks to wait {spell(wait)}: {why}")
        if wait > _WORTH_SAYING and time.monotonic() + wait > self._said_until:
            self._said_until = time.monotonic() + wait + 1
            _LOG.info("%s asks to wait %s: %s", self.endpoint, spell(wait), why)
        if failure.status == 429:
            self._quiet_until = max(self._quiet_until, time.monotonic() + wait)
        return wait

    async def _send(self, request: Request, dialect: Dialect) -> Reply:
        # The openai package sends `extra_body` unchanged. Given as typed arguments, it would first walk through the
        # whole body, which takes longer than all its other work.
        body = {**request_body(request, dialect), **request.extra}
        create = self.client.chat.completions.with_raw_response.create
        raw = await create(model=request.model, messages=[], extra_body=body)
        reply = read_completion(json.loads(raw.http_response.content))
        # If the endpoint does not count tokens, they are estimated here: otherwise the budget would never be used up.
        return reply if reply.prompt_tokens else replace(reply, prompt_tokens=request.prompt_tokens)

    def _learn(self, failure: _Failure, sent: Dialect) -> bool:
        """Whether a refused request should be sent again in another dialect."""
        if failure.status not in (400, 415, 422, 501):
            return False
        if self.dialect != sent:  # another request has learnt it in the meantime
            return True
        dialect = learnt(sent, failure.raw)
        if dialect:
            self.dialect = dialect
        return dialect is not None

    def _why(self, failure: _Failure) -> str:
        """Why a try failed. Raises UserError, Stopped or RequestFailed if another try would not help."""
        status, message = failure.status, self.clean(failure.message)
        if status in _REFUSALS:
            raise UserError(f"{self.endpoint} {_REFUSALS[status]} ({status}): {message}")
        if status == 402 or "insufficient_quota" in failure.raw:
            raise Stopped(f"{self.endpoint}: the account's quota is used up: {message}")
        if status is None:
            return message
        if status not in (408, 409, 429) and status < 500:
            self._failed(f"refused ({status}): {message}")
        return f"status {status}: {message}"

    def _failed(self, why: str) -> None:
        """Give up a request: raises RequestFailed, or Stopped if too many requests in a row have failed."""
        self.failed_in_a_row += 1
        if self.failed_in_a_row >= self._down_after:
            raise Stopped(f"{self.endpoint}: {self.failed_in_a_row} requests in a row failed, the last one: {why}")
        raise RequestFailed(why)

    def clean(self, text: str) -> str:
        """A text from the endpoint made safe to show: without keys, on one line, printable, at most 500 characters."""
        text = " ".join("".join(c if c.isprintable() else " " for c in text[:20_000]).split())
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return text[:500]

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()


def _spellings(secret: str) -> set[str]:
    """A secret as it is, and as it is written in an address or in JSON."""
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]} - {""}


def request_body(request: Request, dialect: Dialect) -> dict[str, Any]:
    """The JSON body of a request in an endpoint's dialect, without its ``extra``."""
    body: dict[str, Any] = {"model": request.model, "messages": list(request.messages)}
    body[dialect.max_tokens] = request.max_tokens
    if dialect.temperature:
        body["temperature"] = request.temperature
    if dialect.structured == "json_schema":
        schema = {"name": request.form, "strict": True, "schema": request.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif dialect.structured == "json_object":
        body["response_format"] = {"type": "json_object"}
    return body


def learnt(dialect: Dialect, refusal: str) -> Dialect | None:
    """``dialect`` without the parameter that the refusal names; None if it names no such parameter."""
    if dialect.structured != "none" and any(word in refusal for word in ("response_format", "json_schema", "schema")):
        return replace(dialect, structured=STRUCTURED[STRUCTURED.index(dialect.structured) + 1])
    if dialect.max_tokens == "max_tokens" and "max_completion_tokens" in refusal:
        return replace(dialect, max_tokens="max_completion_tokens")
    if dialect.temperature and "temperature" in refusal:
        return replace(dialect, temperature=False)
    return None


def _message(error: openai.APIStatusError) -> str:
    try:
        return error_words(json.loads(error.response.text))
    except (ValueError, RecursionError):  # not JSON, for example a page in HTML
        return error.response.text or str(error)
