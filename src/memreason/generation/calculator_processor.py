"""The calculator during generation: it completes a mark such as `<<48/2=24>>` as soon as the model has written `=`."""

from __future__ import annotations

import re

from transformers import PreTrainedTokenizerBase

from memreason.answers.calculator import LONGEST, calculate

_UNFINISHED = re.compile(r"<<([^<>]*?)=([^<>=]*>?)$")
_TAIL = LONGEST + 60
"""How many of the last tokens can hold an unfinished mark, since every token has at least one character."""


class CalculatorProcessor:
    """If the text of an answer ends in an unfinished mark, such as `<<48/2=` or `<<48/2=2`, allows only one
    continuation: the result, here `24>>`.

    It keeps no state: the continuation follows from the text of each answer alone, so tokens that hold `=` and more
    characters need no special case. If the expression of a mark cannot be computed, or the mark already continues with
    another result, the model is free.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer

    def forced(self, generated: list[int]) -> int | None:
        """The one token that may follow all ``generated`` ids; None where the model is free."""
        return self.next_token(generated[-_TAIL:])

    def next_token(self, ids: list[int]) -> int | None:
        """The one token that may follow ``ids``; None where the model is free."""
        text = self._decode(ids)
        mark = _UNFINISHED.search(text)
        result = calculate(mark[1]) if mark else None
        if mark is None or result is None or not f"{result}>>".startswith(mark[2].lstrip()):
            return None
        written = mark[2].lstrip()
        rest = f"{result}>>"[len(written) :]
        # First encoded after "=", for tokenizers that put a space before every text. Then, for tokenizers that join "="
        # and the next characters to one token, encoded alone.
        for before in (f"={written}", ""):
            head, whole = (self.tokenizer.encode(t, add_special_tokens=False) for t in (before, before + rest))
            if whole[: len(head)] == head and self._continues(ids, text, whole[len(head)], rest):
                return whole[len(head)]
        return None

    def _continues(self, ids: list[int], text: str, token: int, rest: str) -> bool:
        """Whether ``token`` after ``ids``, whose text is ``text``, adds the beginning of ``rest``."""
        longer = self._decode([*ids, token])
        return longer.startswith(text) and rest.startswith(longer[len(text) :]) and longer != text

    def _decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
