"""Answers → the JSON of responses."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from memreason.generation.request import Answer
    from memreason.generation.samples import Token
    from memreason.records import Step

Json = dict[str, Any]


@dataclass(frozen=True)
class Envelope:
    """What every response to one request begins with. ``chat`` tells the two routes apart."""

    model: str
    chat: bool
    seed: int | None
    created: int = field(default_factory=lambda: int(time.time()))

    @cached_property
    def id(self) -> str:
        """A name of its own for this response."""
        return f"{'chatcmpl' if self.chat else 'cmpl'}-{uuid.uuid4().hex}"

    def around(self, choices: Sequence[Json], usage: Json | None, chunk: bool = False) -> Json:
        """A response, or a chunk of a stream, with these choices."""
        kind = ("chat.completion.chunk" if chunk else "chat.completion") if self.chat else "text_completion"
        said = {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}
        if self.seed is not None:
            said["seed"] = self.seed
        return said if chunk and usage is None else {**said, "usage": usage}


def usage_of(answers: Iterable[Sequence[Answer]]) -> Json:
    """The tokens of all answers; ``answers`` has those to each question, whose prompt counts once."""
    prompt = completion = 0
    for each in answers:
        prompt += each[0].prompt_tokens if each else 0
        completion += sum(answer.completion_tokens for answer in each)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def message_of(answer: Answer) -> Json:
    """The assistant's message: the answer alone, the steps as text, and the steps one by one."""
    trace = answer.trace
    return {
        "role": "assistant",
        "content": trace.answer or "",
        "reasoning_content": "\n".join(step.text for step in trace.steps if step.text),
        "steps": steps_of(trace.steps, trace.step_logprobs),
    }


def steps_of(steps: Sequence[Step], logprobs: Sequence[float | None] | None) -> list[Json]:
    """Steps as JSON objects, each with the mean log-probability of its tokens, or null."""
    known = list(logprobs or ())[: len(steps)]
    known += [None] * (len(steps) - len(known))
    return [
        {"type": step.type, "text": step.text, "logprob": logprob}
        for step, logprob in zip(steps, known, strict=True)
    ]  # fmt: skip


class TokenTexts:
    """Ids as the texts that responses show, each decoded once."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self._tokenizer = tokenizer
        self._texts: dict[int, str] = {}

    def __getitem__(self, id: int) -> str:
        if id not in self._texts:
            self._texts[id] = self._tokenizer.decode([id], skip_special_tokens=False)
        return self._texts[id]

    def chat_logprobs(self, tokens: Sequence[Token]) -> Json:
        """The log-probabilities of all generated tokens, planning tokens included, as chat responses have them."""
        return {
            "content": [
                {**self._entry(token.id, token.logprob), "top_logprobs": [self._entry(*other) for other in token.top]}
                for token in tokens
            ],
            "refusal": None,
        }

    def completion_logprobs(self, tokens: Sequence[Token], offset: int) -> Json:
        """The same as completions have them; the first token stands at ``offset`` characters in the text."""
        texts = [self[token.id] for token in tokens]
        offsets = list(accumulate(map(len, texts), initial=offset))[:-1]
        return {
            "tokens": texts,
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [{self[id]: logprob for id, logprob in token.top} for token in tokens],
            "text_offset": offsets,
        }

    def _entry(self, id: int, logprob: float | None) -> Json:
        text = self[id]
        # A token that is a part of a character has no text of its own.
        return {"token": text, "logprob": logprob, "bytes": None if "\ufffd" in text else list(text.encode())}
