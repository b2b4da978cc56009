"""The bodies of requests: OpenAI's parameters, those of memreason, and what is said about all others."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from memreason.errors import did_you_mean
from memreason.runtime.files import has_half_characters
from memreason.serving.errors import unusable

IGNORED = frozenset({
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "parallel_tool_calls",
})  # fmt: skip
"""Parameters of OpenAI's API that change nothing in an answer."""
WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,), "presence_penalty": (0,), "repetition_penalty": (1,), "logit_bias": ({},),
    "tools": ([],), "tool_choice": ("none", "auto"), "functions": ([],), "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},), "modalities": (["text"],), "verbosity": ("medium",), "best_of": (1,),
    "echo": (False,), "suffix": ("",), "audio": (), "prediction": (), "reasoning_effort": (), "moderation": (),
    "web_search_options": (),
}  # fmt: skip
"""Parameters that would change an answer in a way that is not possible here → values that change nothing."""

MOST_STOPS, MOST_TOP_LOGPROBS = 16, 20


def _whole(text: str) -> str:
    """JSON can hold halves of characters, which no tokenizer can read."""
    if has_half_characters(text):
        raise ValueError("holds half of a surrogate pair, which is no character")
    return text


Text = Annotated[str, AfterValidator(_whole)]


def _joined(content: object) -> object:
    """The text of a message, which may come in parts."""
    if content is None:
        return ""
    if not isinstance(content, list):
        return content
    texts = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise ValueError('only parts {"type": "text", "text": …} can be read')
        texts.append(part["text"])
    return "".join(texts)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _prompts(value: object) -> object:
    if isinstance(value, list) and value and all(isinstance(part, int | list) for part in value):
        raise ValueError("prompts are texts here, not ids of tokens: the question, without planning tokens")
    return _listed(value)


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class GivenStep(_Body):
    """A step to continue from, as answers give them."""

    type: Text
    text: Text


class Message(_Body):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[Text, BeforeValidator(_joined)] = ""


class StreamOptions(_Body):
    """How to stream."""

    include_usage: bool | None = None


class Parameters(_Body):
    """What both routes take. A parameter that is null has its default."""

    model: Text
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0)
    min_p: float | None = Field(None, ge=0, le=1)
    n: int | None = Field(None, ge=1)
    seed: int | None = None
    stop: Annotated[list[Annotated[Text, Field(min_length=1)]], BeforeValidator(_listed)] | None = Field(
        None, max_length=MOST_STOPS
    )
    options: list[Text] | None = None
    steps: list[GivenStep] | None = None
    constrained: bool | None = None
    next_type: Text | None = None

    def check_others(self) -> None:
        """Raise ApiError for a parameter that is unknown, or whose value would change an answer in vain."""
        for name, value in (self.model_extra or {}).items():
            if value is None or name in IGNORED:
                continue
            if name not in WITHOUT_EFFECT:
                hint = did_you_mean(name, type(self).model_fields)
                raise unusable(f"unknown parameter: {name}{hint}", name, "unknown_parameter")
            if value not in WITHOUT_EFFECT[name]:
                raise unusable(f"{name} is not supported here; leave it out", name, "unsupported_parameter")


class ChatParameters(Parameters):
    """The body of POST /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MOST_TOP_LOGPROBS)
    vote: bool | None = None


class CompletionParameters(Parameters):
    """The body of POST /v1/completions."""

    prompt: Annotated[list[Text], BeforeValidator(_prompts)] = Field(min_length=1)
    logprobs: int | None = Field(None, ge=0, le=MOST_TOP_LOGPROBS)
