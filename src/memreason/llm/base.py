"""The interface of a client: one request in, one reply out.

`open_client.open_client` gives the client for a model's name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from memreason.errors import UserError

STRUCTURED = ("json_schema", "json_object", "none")
"""Ways to ask for JSON, the strictest first; with the last one, only the prompt asks for it."""
STRUCTURED_CHOICES = ("auto", *STRUCTURED)
Message = dict[str, str]
"""{"role": "system" | "user" | "assistant", "content": text}"""


@dataclass(frozen=True)
class Request:
    """One chat request.

    ``schema`` is the JSON schema that the reply should follow, and ``form`` the name of the schema. ``temperature`` 0
    is greedy. ``extra`` is added to the body of the request, unchanged.
    """

    model: str
    messages: tuple[Message, ...]
    form: str
    schema: dict[str, Any]
    max_tokens: int = 1024
    temperature: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)

    def key(self, endpoint: str) -> str:
        """A fingerprint of everything that changes the answer: the key of the request cache."""
        text = json.dumps([endpoint, vars(self)], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def prompt_tokens(self) -> int:
        """An estimate of the number of tokens in the messages, at four bytes for each token."""
        return 8 + sum(8 + len(message["content"].encode()) // 4 for message in self.messages)

    @property
    def most_prompt_tokens(self) -> int:
        """An upper bound for the tokens of the prompt and the schema: a token has at least one byte."""
        return 4 * self.prompt_tokens + len(json.dumps(self.schema))


ELSEWHERE = ("reasoning_content", "reasoning", "thinking", "tool_calls", "function_call")
"""Fields in which a server puts the text of a reply if it takes the text for something else than content."""


@dataclass(frozen=True)
class Reply:
    """A reply: its text, why it ended ("stop", "length", "content_filter", …), and the tokens used.

    If the message had no content, ``text`` comes from one of the fields `ELSEWHERE`, and ``finish_reason`` names the
    field.
    """

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0


class RequestFailed(Exception):
    """This one request got no reply, after all retries; the message says why, without secrets."""


class Stopped(Exception):
    """The run must stop: the budget is used up, or the endpoint is down. Its rows so far stay valid."""


class Client(Protocol):
    """Answers requests. ``endpoint`` is the name of the answering service, for cache keys and for messages."""

    endpoint: str

    async def complete(self, request: Request) -> Reply:
        """The reply. Raises RequestFailed, Stopped, or UserError if the endpoint refuses all requests."""
        ...

    async def close(self) -> None:
        """Close connections and end background work."""
        ...


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object that has exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_extra_body(text: str | None) -> dict[str, Any]:
    """--extra_body, parsed. Raises UserError where it is no JSON object, or holds what the command sets itself."""
    try:
        value = json.loads(text or "{}")
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:  # also for half of a surrogate pair
        raise UserError(f"--extra_body: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise UserError("--extra_body: must be a JSON object")
    if not_allowed := {"model", "messages", "max_tokens", "max_completion_tokens", "n", "stream"} & set(value):
        raise UserError(
            f"--extra_body: {sorted(not_allowed)[0]} is set by the options of this command, or not supported"
        )
    return value


def check_address(flag: str, url: str | None) -> None:
    """Raise UserError if an address has a name or password in it, because addresses are stored and shown."""
    if url and "@" in split_address(url)[0].partition("//")[2].partition("/")[0]:
        raise UserError(f"--{flag} holds a name or password; leave it out, keys come from the environment")


def split_address(url: str) -> tuple[str, dict[str, str]]:
    """(address, query). Some gateways take their key as ``?key=…``: the query is sent, but never shown or stored."""
    address, _, query = url.partition("#")[0].partition("?")
    return address, dict(parse_qsl(query, keep_blank_values=True))
