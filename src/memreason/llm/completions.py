"""Reads a chat completion's JSON as a Reply, or an error in any of the forms in which providers send it."""

from __future__ import annotations

import json
import re
from typing import Any

from memreason.llm.base import ELSEWHERE, Reply

_FINISHED = {
    "length": ("max_tokens", "model_length", "max_output_tokens", "token_limit"),
    "content_filter": ("content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "spii",
                       "sensitive", "guardrail_intervened"),
    "error": ("abort", "aborted", "failed", "cancelled", "timeout", "server_error", "network_error",
              "insufficient_system_resource", "malformed_function_call"),
}  # fmt: skip
"""Why a reply ended → what other providers call it."""
_REASONS = {name: ours for ours, names in _FINISHED.items() for name in (ours, *names)}
_FILTERED = re.compile(
    r"content[\s_-]?(?:filter|policy|management|moderation|safety|exists risk|inspection)|responsible ?ai|guardrail"
    r"|data[\s_-]?inspection"
    r"|(?:input|prompt|request|content|output)[\w\s]{0,30} (?:was |been |is |were )?(?:flagged|filtered|blocked)"
    r"|requires moderation|inappropriate content|usage polic(?:y|ies)|safety (?:system|filter|polic)|sensitive content",
    re.IGNORECASE,
)
_MOST_TOKENS = 10**9


class ProviderError(ValueError):
    """The body says that the request failed, or is no chat completion; the HTTP status may still have been 200.

    ``status`` is the status that the body names, or None.
    """

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


def read_completion(body: Any) -> Reply:
    """A chat completion's JSON as a Reply. Raises ProviderError if it is none."""
    try:
        choice = _choice(body)
        message = choice["message"]
        text, refusal = _text(message.get("content")), message.get("refusal")
        if refusal is not None and not isinstance(refusal, str):
            raise TypeError(f"a refusal that is a {type(refusal).__name__}")
        reason = str(choice.get("finish_reason") or "stop")
        reason = "refusal" if refusal else _REASONS.get(reason.casefold(), reason)
        text = text or refusal or ""
        if not text and reason not in ("length", "content_filter"):
            texts = ((name, _elsewhere(message.get(name))) for name in ELSEWHERE)
            field, text = next(((name, other) for name, other in texts if other), ("", ""))
            reason = field or reason
        usage = body.get("usage") or {}
        read, written = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        # If the endpoint does not count tokens, they are estimated at four bytes each.
        written = written if usage and written is not None else len(text.encode("utf-8", "replace")) // 4
        return Reply(_whole_characters(text), _whole_characters(reason)[:40], read or 0, written)
    except ProviderError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ProviderError(f"no chat completion ({type(error).__name__}: {error})") from None


def is_filtered(refusal: str) -> bool:
    """Whether a refusal comes from a content filter, so that it is about this prompt and not about all requests."""
    return bool(_FILTERED.search(refusal[:20_000]))


def error_words(body: Any) -> str:
    """The message in the body of an error, and in parentheses the message of another provider that it passes on."""
    body = _unlisted(body)
    error = body.get("error") if isinstance(body, dict) and body.get("error") else body
    if not isinstance(error, dict):
        return error if isinstance(error, str) else json.dumps(error)
    message = next((error[name] for name in ("message", "msg", "detail", "status_msg") if error.get(name)), None)
    if not isinstance(message, str):
        return json.dumps(error)
    metadata = error.get("metadata")
    passed_on = metadata.get("raw") if isinstance(metadata, dict) else None
    return f"{message} ({passed_on})" if passed_on else message


def _choice(body: Any) -> dict[str, Any]:
    body = _unlisted(body)
    choices = body.get("choices") if isinstance(body, dict) else None
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    failed = _REASONS.get(str(first.get("finish_reason")).casefold()) == "error"
    for holder in (body, first):
        if isinstance(holder, dict) and holder.get("error"):
            raise ProviderError(f"the endpoint says: {error_words(holder)}", _status(holder["error"]))
    if failed:
        raise ProviderError(f"the endpoint broke the reply off (finish_reason {first['finish_reason']})")
    if not first and isinstance(body, dict):
        status = _status(body.get("base_resp") or body)
        raise ProviderError(f"no chat completion, but: {error_words(body.get('base_resp') or body)}", status)
    return body["choices"][0]


def _unlisted(body: Any) -> Any:
    """``body``, or the error in it: some providers send an error as a list of one."""
    return body[0] if isinstance(body, list) and body and isinstance(body[0], dict) and body[0].get("error") else body


def _status(error: Any) -> int | None:
    """The HTTP status that an error names."""
    for name in ("code", "status", "status_code", "http_status"):
        named = error.get(name) if isinstance(error, dict) else None
        if isinstance(named, int | str) and re.fullmatch(r"[45]\d\d", str(named)[:4]):
            return int(named)
    return None


def _text(content: Any) -> str:
    """The text of a message's content, which can be a text, nothing, or parts; parts with thoughts are left out."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, dict):
        content = [content]
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif part.get("type", "text") in ("text", "output_text"):
            texts.append(part["text"])
    return "".join(texts)


def _elsewhere(value: Any) -> str:
    """The text of a field other than the content: the field is a text, or holds calls of tools with their arguments."""
    if isinstance(value, str):
        return value
    calls = value if isinstance(value, list) else [value]
    functions = [call.get("function", call) for call in calls if isinstance(call, dict)]
    arguments = [call.get("arguments") for call in functions if isinstance(call, dict)]
    return "\n".join(each if isinstance(each, str) else json.dumps(each) for each in arguments if each)


def _count(tokens: Any) -> int | None:
    """A number of tokens as the endpoint counts them; None if the value is not possible."""
    count = int(tokens or 0)
    return count if 0 <= count <= _MOST_TOKENS else None


def _whole_characters(text: str) -> str:
    """``text`` without halves of surrogate pairs (a reply cut inside an emoji), which cannot be written to a file."""
    return text.encode("utf-8", "replace").decode()
