"""A chat completion's JSON → a Reply, or what the provider said instead, in whatever form it said it."""

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
"""Why replies end → what other providers call it."""
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
    """A body that says that the request failed, whatever the HTTP status; ``status`` is the one it names, or None."""

    def __init__(self, said: str, status: int | None = None):
        super().__init__(said)
        self.status = status


def read_completion(body: Any) -> Reply:
    """A chat completion's JSON as a Reply. Raises ProviderError where it is none."""
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
            field, text = next(
                ((name, said) for name in ELSEWHERE if (said := _elsewhere(message.get(name)))), ("", "")
            )
            reason = field or reason
        usage = body.get("usage") or {}
        read, written = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        # Where the endpoint does not count, we do.
        written = written if usage and written is not None else len(text.encode("utf-8", "replace")) // 4
        return Reply(_whole_characters(text), _whole_characters(reason)[:40], read or 0, written)
    except ProviderError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ProviderError(f"no chat completion ({type(error).__name__}: {error})") from None


def is_filtered(said: str) -> bool:
    """Whether an endpoint's refusal is a content filter's: of this prompt, not of every one."""
    return bool(_FILTERED.search(said[:20_000]))


def error_words(body: Any) -> str:
    """What a body of an error says: its message, and where it passes one on, the message behind it."""
    body = _unlisted(body)
    error = body.get("error") if isinstance(body, dict) and body.get("error") else body
    if not isinstance(error, dict):
        return error if isinstance(error, str) else json.dumps(error)
    said = next((error[name] for name in ("message", "msg", "detail", "status_msg") if error.get(name)), None)
    if not isinstance(said, str):
        return json.dumps(error)
    behind = error.get("metadata")
    raw = behind.get("raw") if isinstance(behind, dict) else None
    return f"{said} ({raw})" if raw else said


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
    """Some send an error as a list of one."""
    return body[0] if isinstance(body, list) and body and isinstance(body[0], dict) and body[0].get("error") else body


def _status(error: Any) -> int | None:
    """The HTTP status that an error names."""
    for name in ("code", "status", "status_code", "http_status"):
        named = error.get(name) if isinstance(error, dict) else None
        if isinstance(named, int | str) and re.fullmatch(r"[45]\d\d", str(named)[:4]):
            return int(named)
    return None


def _text(content: Any) -> str:
    """A message's content: a text, nothing, or a list of parts, of which thoughts are not read."""
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


def _elsewhere(found: Any) -> str:
    """The text of a field that is not the content: a text, or calls of tools with their arguments."""
    if isinstance(found, str):
        return found
    calls = found if isinstance(found, list) else [found]
    functions = [call.get("function", call) for call in calls if isinstance(call, dict)]
    arguments = [call.get("arguments") for call in functions if isinstance(call, dict)]
    return "\n".join(said if isinstance(said, str) else json.dumps(said) for said in arguments if said)


def _count(tokens: Any) -> int | None:
    """A number of tokens as the endpoint counts them; None where it cannot be one."""
    count = int(tokens or 0)
    return count if 0 <= count <= _MOST_TOKENS else None


def _whole_characters(text: str) -> str:
    """Half of a surrogate pair, where a reply was cut within an emoji, cannot be written to a file."""
    return text.encode("utf-8", "replace").decode()
