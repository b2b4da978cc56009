"""Any OpenAI-compatible endpoint: retries, rate limits, and what a server turns out not to support.

What is retried, with back-off, honouring Retry-After: 408, 409, 429, 5xx, dropped connections,
time-outs, and bodies that are no chat completion. A 429 holds back every request of the run, since
the limit is the account's. 401, 403, 404 and a used-up quota (402) end the run, rows so far intact.

A server that refuses a parameter which we can do without (structured output, temperature, the
older name of max_tokens) is asked again without it, and is not sent it any more.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any

import openai

from memreason.errors import UserError
from memreason.llm import Reply, Request, RequestFailed, Stopped, check_address
from memreason.llm.meter import Meter

OPENAI = "https://api.openai.com/v1"
STRUCTURED = ("json_schema", "json_object", "none")
"""Ways to ask for JSON, from the strictest to just asking for it in the prompt."""
BACKOFF = 0.5
"""Seconds before the first new try; twice as long before each further one, up to a minute."""
_LONGEST_WAIT = 60.0
_REFUSALS = {401: "refused the key", 403: "refused access", 404: "knows no such model or address"}


@dataclass(frozen=True)
class Dialect:
    """What an endpoint understands; found out by asking."""

    structured: str = "json_schema"
    max_tokens: str = "max_tokens"
    temperature: bool = True


class OpenAIEndpoint:
    """A chat-completions endpoint. The key is read from the environment and leaves it only as a header."""

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
        self.endpoint = (base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).rstrip("/")
        if not self.endpoint.startswith(("http://", "https://")):
            raise UserError(f"--base_url {self.endpoint}: must begin with http:// or https://")
        check_address("base_url", self.endpoint)
        self.secret = os.environ.get(key_variable, "").strip()
        if not (self.secret.isascii() and self.secret.isprintable()):
            raise UserError(f"the environment variable {key_variable} holds characters that no key has; set it anew")
        if not self.secret and self.endpoint == OPENAI:
            raise UserError(
                f"{self.endpoint} needs a key: set the environment variable {key_variable}, or name another endpoint "
                "with --base_url"
            )
        self.client = openai.AsyncOpenAI(
            base_url=self.endpoint, api_key=self.secret or "none", max_retries=0, timeout=timeout
        )
        self.dialect = Dialect("json_schema" if structured == "auto" else structured)
        self._meter = meter
        self._retries = retries
        self._down_after = down_after
        self.failed_in_a_row = 0
        self._quiet_until = 0.0

    async def complete(self, request: Request) -> Reply:
        """The reply to one request, after as many tries as it takes."""
        tries = 0
        while True:
            await self._meter.admit(request)
            while (quiet := self._quiet_until - time.monotonic()) > 0:
                await asyncio.sleep(quiet)
            dialect = self.dialect
            try:
                reply = await self._send(request, dialect)
            except openai.APIStatusError as error:
                if self._learn(error, dialect):
                    continue
                why, wait = self._status_failure(error), _retry_after(error)
                if error.status_code == 429 and wait is not None:
                    self._quiet_until = max(self._quiet_until, time.monotonic() + wait)
            except (openai.APIError, ValueError) as error:
                why, wait = self.clean(f"{type(error).__name__}: {error.__cause__ or error}"), None
            else:
                self.failed_in_a_row = 0
                return reply
            tries += 1
            if tries > self._retries:
                self._failed(f"{why} (tried {tries} times)")
            self._meter.retries += 1
            backoff = min(_LONGEST_WAIT, BACKOFF * 2 ** (tries - 1)) * random.uniform(0.5, 1.0)
            await asyncio.sleep(wait or backoff)

    async def _send(self, request: Request, dialect: Dialect) -> Reply:
        # As `extra_body` it is sent as it is; as typed arguments, the client would first walk through all of it,
        # which takes longer than everything else it does.
        body = {**request_body(request, dialect), **request.extra}
        create = self.client.chat.completions.with_raw_response.create
        raw = await create(model=request.model, messages=[], extra_body=body)
        reply = read_completion(json.loads(raw.http_response.content))
        # Where the endpoint does not count, we do: the budget must not stand still.
        return reply if reply.prompt_tokens else replace(reply, prompt_tokens=request.prompt_tokens)

    def _learn(self, error: openai.APIStatusError, sent: Dialect) -> bool:
        """Whether a refused request is to be sent again in another dialect."""
        if error.status_code not in (400, 415, 422, 501):
            return False
        if self.dialect != sent:  # another request learnt it in the meantime
            return True
        found = learnt(sent, error.response.text)
        if found:
            self.dialect = found
        return found is not None

    def _status_failure(self, error: openai.APIStatusError) -> str:
        """Why it failed. Raises UserError, Stopped or RequestFailed where trying again is of no use."""
        said = self.clean(_said(error))
        if error.status_code in _REFUSALS:
            raise UserError(f"{self.endpoint} {_REFUSALS[error.status_code]} ({error.status_code}): {said}")
        if error.status_code == 402 or "insufficient_quota" in error.response.text:
            raise Stopped(f"{self.endpoint}: the account's quota is used up: {said}")
        if error.status_code not in (408, 409, 429) and error.status_code < 500:
            self._failed(f"refused ({error.status_code}): {said}")
        return f"status {error.status_code}: {said}"

    def _failed(self, why: str) -> None:
        """Give a request up; raises RequestFailed, or Stopped where none gets through any more."""
        self.failed_in_a_row += 1
        if self.failed_in_a_row >= self._down_after:
            raise Stopped(f"{self.endpoint}: {self.failed_in_a_row} requests in a row failed, the last one: {why}")
        raise RequestFailed(why)

    def clean(self, text: str) -> str:
        """A text from outside without the key in it, on one line, and not too long."""
        text = " ".join(text.split())
        if self.secret:
            text = text.replace(self.secret, "[key]")
        return text[:500]

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()


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
    """The dialect without what a refusal's text complains of; None where it complains of something else."""
    if dialect.structured != "none" and any(word in refusal for word in ("response_format", "json_schema", "schema")):
        return replace(dialect, structured=STRUCTURED[STRUCTURED.index(dialect.structured) + 1])
    if dialect.max_tokens == "max_tokens" and "max_completion_tokens" in refusal:
        return replace(dialect, max_tokens="max_completion_tokens")
    if dialect.temperature and "temperature" in refusal:
        return replace(dialect, temperature=False)
    return None


def read_completion(body: dict[str, Any]) -> Reply:
    """A chat completion's JSON as a Reply. ValueError where it is none."""
    try:
        choice = body["choices"][0]
        message = choice["message"]
        text = message.get("content") or message.get("refusal") or ""
        # Half of a surrogate pair, where a reply was cut within an emoji, cannot be written to a file.
        text = text.encode("utf-8", "replace").decode()
        usage = body.get("usage") or {"completion_tokens": len(text.encode()) // 4}
        reason = "refusal" if message.get("refusal") else str(choice.get("finish_reason") or "stop")
        return Reply(text, reason, int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"no chat completion ({type(error).__name__}: {error})") from None


def _said(error: openai.APIStatusError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.response.text or error)


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Seconds that the server asks to wait: a number, or a date."""
    value = error.response.headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
