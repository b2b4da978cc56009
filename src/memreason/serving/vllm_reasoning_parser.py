"""A reasoning parser for those who start vLLM themselves, with a merged model (`memreason export --to merged`):

    vllm serve MERGED --reasoning-parser-plugin …/vllm_reasoning_parser.py --reasoning-parser memreason

vLLM's messages then have the answer alone as their content, and the texts of the steps as their reasoning. This file
imports nothing of memreason: vLLM needs another version of transformers, so it lives in an environment of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from vllm.entrypoints.generate.base.protocol import DeltaMessage
from vllm.reasoning.abs_reasoning_parsers import ReasoningParser, ReasoningParserManager

_MARKS = re.compile(r"(?:\s*<[^<>\s]+_\d+>)*\s*")
"""The planning tokens at the start of a line."""
_ANSWER_PHRASE, _ANSWER_TOKEN, _PREFIX_TOKEN = "The answer is:", "<answer_0>", "<prefix_0>"


def read(text: str, complete: bool = True) -> tuple[str, str]:
    """(texts of the steps, one a line; text of the answer) of a generated text.

    If it is not ``complete``, what may become planning tokens or the beginning of the answer line is left out.
    """
    steps: list[str] = []
    for line in text.split("\n"):
        body = line[_MARKS.match(line).end() :].strip()  # type: ignore[union-attr]
        if body.startswith(_ANSWER_PHRASE):
            return "\n".join(steps), body.removeprefix(_ANSWER_PHRASE).strip()
        if body:
            steps.append(body)
    unclear = _ANSWER_PHRASE.startswith(body) or (body.startswith("<") and ">" not in body)
    if not complete and body and unclear:
        steps.pop()
    return "\n".join(steps), ""


@ReasoningParserManager.register_module("memreason")
class MemreasonReasoningParser(ReasoningParser):
    """Tells the steps of a trace from its answer."""

    def is_reasoning_end(self, input_ids: Sequence[int]) -> bool:
        """Whether the last line that has begun is an answer line; earlier answers may stand in the prompt."""
        marks = {self.vocab.get(_ANSWER_TOKEN): True, self.vocab.get(_PREFIX_TOKEN): False}
        return next((marks[id] for id in reversed(input_ids) if id in marks), False)

    def is_reasoning_end_streaming(self, input_ids: Sequence[int], delta_ids: Iterable[int]) -> bool:
        """Never: behind the end vLLM would pass on the answer line as it stands, planning tokens included."""
        return False

    def extract_content_ids(self, input_ids: list[int]) -> list[int]:
        """The ids behind the token that begins the answer line."""
        token = self.vocab.get(_ANSWER_TOKEN)
        return input_ids[input_ids.index(token) + 1 :] if token in input_ids else []

    def extract_reasoning(self, model_output: str, request: Any) -> tuple[str | None, str | None]:
        """(texts of the steps, answer) of a whole output."""
        steps, answer = read(model_output)
        return steps or None, answer

    def extract_reasoning_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int],
        current_token_ids: Sequence[int],
        delta_token_ids: Sequence[int],
    ) -> DeltaMessage | None:
        """What the newest text adds to the steps and to the answer."""
        before, now = read(previous_text, complete=False), read(current_text, complete=False)
        steps, answer = (new.removeprefix(old) for old, new in zip(before, now, strict=True))
        return DeltaMessage(reasoning=steps or None, content=answer or None) if steps or answer else None
