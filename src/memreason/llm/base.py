"""What a client is: one request in, one reply out. Labelling, judging and reading ask models through clients.

`open_client.open_client` gives the client for a model's name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from memreason.errors import UserError

Message = dict[str, str]
"""{"role": "system" | "user" | "assistant", "content": text}"""


@dataclass(frozen=True)
class Request:
    """One chat request. ``schema`` is the JSON schema that the reply should follow, ``form`` its name;
    ``extra`` goes into the request's body as it is."""

    model: str
    messages: tuple[Message, ...]
    form: str
    schema: dict[str, Any]
    max_tokens: int = 1024
    temperature: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)

    def key(self, endpoint: str) -> str:
        """A fingerprint of everything that changes the answer; what the request cache is keyed by."""
        text = json.dumps([endpoint, vars(self)], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def prompt_tokens(self) -> int:
        """About how many tokens the messages have: a token is taken for four bytes."""
        return 8 + sum(8 + len(message["content"].encode()) // 4 for message in self.messages)

    @property
    def most_prompt_tokens(self) -> int:
        """What the prompt can have at most, the schema too: no token is shorter than a byte."""
        return 4 * self.prompt_tokens + len(json.dumps(self.schema))


ELSEWHERE = ("reasoning_content", "reasoning", "thinking", "tool_calls", "function_call")
"""Fields of a message in which a reply's text stands where the server took it for something else."""


@dataclass(frozen=True)
class Reply:
    """What came back: the text, why it ended ("stop", "length", "content_filter", …), and the tokens used.

    Where there was no content, the text is that of one of `ELSEWHERE`, and so is the reason.
    """

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0


class RequestFailed(Exception):
    """This one request cannot be answered, after all retries; the message says why, without secrets."""


class Stopped(Exception):
    """The run must stop here, its rows so far intact: the budget is used up, or the endpoint is down."""


class Client(Protocol):
    """Answers requests. ``endpoint`` names who answers, for the cache's key and for messages."""

    endpoint: str

    async def complete(self, request: Request) -> Reply:
        """The reply. Raises RequestFailed, Stopped, or UserError where the endpoint refuses altogether."""
        ...

    async def close(self) -> None:
        """Give back connections and threads."""
        ...


def check_address(flag: str, url: str | None) -> None:
    """Raise UserError for an address with credentials in it: it is written to settings and shown in messages."""
    if url and "@" in split_address(url)[0].partition("//")[2].partition("/")[0]:
        raise UserError(f"--{flag} holds a name or password; leave it out, keys come from the environment")


def split_address(url: str) -> tuple[str, dict[str, str]]:
    """(address, query): some gateways take their key as ``?key=…``, which is sent, and shown or kept nowhere."""
    address, _, query = url.partition("#")[0].partition("?")
    return address, dict(parse_qsl(query, keep_blank_values=True))
