"""What each token of a tokenizer adds to a text, for rules on the text that are kept token by token."""

from __future__ import annotations

import codecs
import math
import re
from collections import defaultdict
from functools import cached_property
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

from memreason.generation.stray_marks import COMPLETES

NEVER, SPACE, PLAIN, LINE_END, TEXT_AND_LINE_END, SINGLE = range(6)
"""The kinds of tokens.

- `NEVER`: adds no text of its own, or has a newline before its end, or is a special token.
- `SPACE`, `PLAIN`: only white space; text. Tokens of one kind can replace each other wherever text is free.
- `LINE_END`, `TEXT_AND_LINE_END`: the same, with a newline at the end.
- `SINGLE`: what it does depends on the text before it, so each is judged for itself. It begins or ends inside a
  character, or it can complete a mark that is not text (`<x_1>`, `</think>`).
"""
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_LACKS = "\ufffd"
"""What stands in a decoded text for bytes that are no whole character."""


class Vocabulary:
    """Tables over the ids of a tokenizer.

    ``texts`` has what each token adds to a text; it is empty where the kind is `NEVER`, and for tokens that begin or
    end inside a character. The bytes of those are in ``parts``. ``kinds`` has a kind for each id. ``size`` is the
    length of the tokenizer when the tables were made.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        count = max(tokenizer.get_vocab().values()) + 1
        self.size = len(tokenizer)
        names = tokenizer.convert_ids_to_tokens(list(range(count)))
        # Some decoders leave out a space at the start of a text, so each token is decoded behind another one.
        anchor = tokenizer.encode("a", add_special_tokens=False)[-1:]
        before = len(_decode(tokenizer, [anchor])[0])
        decoded = _decode(tokenizer, [[*anchor, id] for id in range(count)])
        special = {id for id, token in tokenizer.added_tokens_decoder.items() if token.special}
        self.texts = [""] * count
        self.parts: dict[int, bytes] = {}
        for id, (name, text) in enumerate(zip(names, decoded, strict=True)):
            text = text[before:]
            if name is None or id in special or "\n" in text[:-1]:
                continue
            if _LACKS not in text:
                self.texts[id] = text
            elif (part := _bytes_of(name)) and part.decode(errors="replace") == text:
                self.parts[id] = part
        self._left: dict[bytes, float] = {b"": 0}
        for id, part in list(self.parts.items()):
            if (joined := _joined(part)) and not joined[1]:  # the character that stands for what is lacking
                self.texts[id] = joined[0]
                del self.parts[id]
        self.kinds = bytearray(_kind(text) for text in self.texts)
        for id in self.parts:
            self.kinds[id] = SINGLE

    @cached_property
    def by_text(self) -> dict[str, list[int]]:
        """Text → the ids of the tokens with this text."""
        found: dict[str, list[int]] = defaultdict(list)
        for id, text in enumerate(self.texts):
            if text:
                found[text].append(id)
        return dict(found)

    def after(self, begun: bytes, id: int) -> tuple[str, bytes] | None:
        """What ``id`` adds where the bytes ``begun`` of a character stand: whole characters, and the bytes of one that
        it begins. None where the bytes are no text, or where no tokens complete the character."""
        joined = _joined(begun + (self.parts.get(id) or self.texts[id].encode()))
        return joined if joined and self.left(joined[1]) < math.inf else None

    def left(self, begun: bytes) -> float:
        """The fewest tokens that complete a character whose bytes ``begun`` are there; infinite where none do."""
        if begun not in self._left:
            self._left[begun] = self._fewest(begun)
        return self._left[begun]

    def _fewest(self, begun: bytes) -> float:
        lacking = 2 + (begun[0] >= 0xE0) + (begun[0] >= 0xF0) - len(begun)
        if not any(_joined(begun + bytes([byte]) * lacking) for byte in (0x80, 0xBF)):
            return math.inf  # half of a surrogate pair
        if sum(len(part) == 1 for part in self._inner) == 0x40:  # all bytes that can continue a character
            return lacking
        ways = [way for part in self._inner if (way := _joined(begun + part))]
        return 1 + min(
            (self.left(rest) if not text else math.inf if rest else 0 for text, rest in ways), default=math.inf
        )

    @cached_property
    def _inner(self) -> set[bytes]:
        """Bytes of tokens that only continue a character."""
        return {part for part in self.parts.values() if all(0x80 <= byte < 0xC0 for byte in part)}


_known: WeakKeyDictionary[PreTrainedTokenizerBase, Vocabulary] = WeakKeyDictionary()


def vocabulary_of(tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
    """The tables of a tokenizer, made on the first call, and again where tokens were added to it."""
    known = _known.get(tokenizer)
    if known is None or known.size != len(tokenizer):
        known = _known[tokenizer] = Vocabulary(tokenizer)
    return known


def _decode(tokenizer: PreTrainedTokenizerBase, ids: list[list[int]]) -> list[str]:
    return tokenizer.batch_decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def _kind(text: str) -> int:
    if not text:
        return NEVER
    if COMPLETES.search(text):
        return SINGLE
    if text.endswith("\n"):
        return LINE_END if text.isspace() else TEXT_AND_LINE_END
    return SPACE if text.isspace() else PLAIN


def _joined(data: bytes) -> tuple[str, bytes] | None:
    """The whole characters in ``data``, and the bytes of one that is begun at its end; None where it is no UTF-8."""
    try:
        text, read = codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return None
    return text, data[read:]


_BYTES = {char: byte for byte, char in bytes_to_unicode().items()}
"""Character → byte, as the names of byte-level tokens spell bytes."""


def _bytes_of(name: str) -> bytes | None:
    """The bytes that a token's name stands for: <0xE3>, or the characters of byte-level tokens; else None."""
    if byte := _BYTE.fullmatch(name):
        return bytes([int(byte[1], 16)])
    return bytes(_BYTES[char] for char in name) if all(char in _BYTES for char in name) else None
