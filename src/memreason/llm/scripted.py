"""The scripted agent: writes well-formed plans and facts without any model, to try things out and for tests.

It reads the lines of a prompt that begin with `Question:` or `Answer:` and the numbered queries, and puts their words
into fixed sentences; the same prompt always gives the same reply. The replies have the right form, but no meaning: they
show that a run works and what it would cost, not what a model knows.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from memreason.llm.base import Message, Reply, Request
from memreason.llm.meter import Meter

_FIELD = r"^{}: *(.+)$"
_QUERY = re.compile(r"^\d+\. (.+)$", re.M)
_WORD = re.compile(r"[^\W\d_]{4,}")
_FORM = re.compile(r'\{"(facts|steps|answer)"')


def scripted_reply(messages: list[Message] | tuple[Message, ...], form: str | None = None) -> str:
    """The agent's reply, JSON.

    ``form`` is plan, solution, facts, answer or judgement; if None, it is read from the prompt.
    """
    system, user = messages[0]["content"], messages[1]["content"]
    if form is None:
        named = _FORM.search(system)
        form = {"facts": "facts", "answer": "answer"}.get(named[1], "plan") if named else "plan"
        form = "judgement" if '"verdict"' in system else form
    if form == "facts":
        return _json({"facts": [_fact(query) for query in _QUERY.findall(user)]})
    if form == "judgement":
        steps = [{"says": "fact", "verdict": "true"} for _ in _QUERY.findall(user)]
        return _json({"steps": steps, "answer": "true"})
    if form == "answer":
        answers = re.findall(r"in favour of (.+?)\.", user)
        return _json({"answer": answers[-1] if answers else "unknown"})
    question, answer = _field("Question", user) or "this", _field("Answer", user) or "unknown"
    answer = re.sub(r"^([A-Z])\. .*", r"\1", answer) if "\nOptions:" in user else answer
    different = {word.casefold(): word for word in _WORD.findall(question)}.values()
    words = sorted(different, key=lambda word: (-len(word), word)) or ["the question"]
    count = 1 + _number(question) % min(2, len(words))
    ask = "{} is a matter of record." if form == "solution" else "What should be known about {}?"
    steps = [{"type": "memory", "text": ask.format(word)} for word in words[:count]]
    steps.append({"type": "reason", "text": f"Taken together, this settles the question in favour of {answer}."})
    return _json({"steps": steps, "answer": answer})


def _fact(query: str) -> str:
    subject = query.removeprefix("What should be known about ").rstrip("?")
    return f"{subject} is entry {_number(query) % 1000} of the record."


def _field(name: str, text: str) -> str | None:
    values = re.findall(_FIELD.format(name), text, re.M)
    return values[0].strip() if values else None


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


class ScriptedAgent:
    """The client behind the model name `scripted`: needs no endpoint, costs nothing."""

    endpoint = "scripted"

    def __init__(self, meter: Meter):
        self._meter = meter

    async def complete(self, request: Request) -> Reply:
        """The scripted reply, at once. Raises Stopped as `Meter.admit` does."""
        await self._meter.admit(request)
        text = scripted_reply(request.messages, request.form)
        return Reply(text, "stop", request.prompt_tokens, max(1, len(text) // 4))

    async def close(self) -> None:
        """Nothing to close."""
