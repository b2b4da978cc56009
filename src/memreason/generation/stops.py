"""Texts that end an answer: those that a request asks for, and, behind shots, the end of the answer line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from memreason.planning_tokens.prompt import ANSWER_PHRASE

_ANSWERED = re.compile(re.escape(ANSWER_PHRASE) + r"[^\n]*\S[^\n]*\n")
_TAIL = 24
"""How many of the last tokens are searched for a finished answer line, or for a text that is not longer."""


def held_back(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end of ``text`` may belong to one of ``stops``."""
    lengths = (n for stop in stops for n in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:n]))
    return max(lengths, default=0)


class Stops:
    """The ``texts`` that end an answer. With ``after_answer``, the end of an answer line ends it too: for models that
    were not trained to write an end token."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], after_answer: bool):
        self._tokenizer, self._texts, self._after_answer = tokenizer, texts, after_answer
        self._tail = max([_TAIL, *(len(text.encode()) + 8 for text in texts)])  # a token has at least a byte

    @property
    def any(self) -> bool:
        """Whether there is anything that ends an answer but its end token."""
        return bool(self._texts) or self._after_answer

    def is_ended(self, generated: list[int]) -> bool:
        """Whether the answer has ended."""
        if not self._texts and "\n" not in self._tokenizer.decode(generated[-1:]):  # nothing else ends a line
            return False
        tail = self._tokenizer.decode(generated[-self._tail :])
        return any(text in tail for text in self._texts) or (self._after_answer and bool(_ANSWERED.search(tail)))

    def cut(self, text: str, start: int) -> str:
        """``text`` up to where an answer ends that was generated from the character ``start`` on."""
        if self._after_answer and (answered := _ANSWERED.search(text)):
            text = text[: answered.end()].rstrip()
        ends = [at for stop in self._texts if (at := text.find(stop, start)) >= 0]
        return text[: min(ends, default=None)]
