"""Texts of which only some are possible, and how tokens can spell them: `The answer is: True`, `[memory]`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from memreason.generation.vocabulary import Vocabulary

_MOST_SPACES = 3
"""The most spaces before a spelled text. Some tokenizers put one before each piece that is tokenized."""
_WHOLE = "(?:[0-9]{1,3}(?:,[0-9]{3}){1,12}|[0-9]{1,40})"
_NUMBER = re.compile(rf"-?{_WHOLE}(?:\.[0-9]{{1,40}})?|-?[0-9]{{1,40}}/[1-9][0-9]{{0,39}}")
_NUMBER_BEGUN = re.compile(
    rf"-?(?:[0-9]{{0,40}}|[0-9]{{1,3}}(?:,[0-9]{{3}}){{0,11}},[0-9]{{0,3}}|{_WHOLE}\.[0-9]{{0,40}}"
    r"|[0-9]{1,40}/(?:[1-9][0-9]{0,39})?)"
)
_NUMBER_ENDS = re.compile(r"[-0-9,./]+\Z")
_DIGIT = re.compile("[0-9]")


class Spelling:
    """The texts that are possible: ``texts``; with ``number``, each of them followed by a number, such as -12, 3.5,
    1,200 or 1/3 (all gold answers are spelled so, and the strict extractor reads them). A few spaces may come first.

    Tokens that hold a part of a character spell nothing here.
    """

    def __init__(self, vocabulary: Vocabulary, texts: Iterable[str], number: bool = False):
        self._vocabulary, self._number = vocabulary, number
        self._texts = frozenset(" " * spaces + text for text in texts for spaces in range(_MOST_SPACES + 1))
        self._begun = frozenset(text[:length] for text in self._texts for length in range(len(text) + 1))
        self._numeric = self._that_begin_numbers() if number else []
        self._left: dict[str, float] = {}

    def begun(self, text: str) -> bool:
        """Whether ``text`` can become a possible text."""
        return text in self._begun or (self._number and self._has_number(text, _NUMBER_BEGUN))

    def complete(self, text: str) -> bool:
        """Whether ``text`` is a possible text."""
        return self._has_number(text, _NUMBER) if self._number else text in self._texts

    def alike(self, text: str) -> str:
        """The same for all texts that can be continued in the same ways: digits of a number do not differ."""
        return _DIGIT.sub("1", text) if self._number else text

    def candidates(self, text: str) -> list[int]:
        """The ids of the tokens that can come after ``text``, and of some others."""
        by_text = self._vocabulary.by_text
        rests = {whole[len(text) :] for whole in self._texts if whole.startswith(text)}
        pieces = {rest[:length] for rest in rests for length in range(1, len(rest) + 1)}
        return [id for piece in sorted(pieces) for id in by_text.get(piece, ())] + self._numeric

    def left(self, text: str) -> float:
        """The fewest tokens that make ``text`` a possible text; infinite where none do."""
        text = self.alike(text)
        if text not in self._left:
            self._left[text] = self._search(text)
        return self._left[text]

    def _search(self, text: str) -> float:
        texts, seen, reached, steps = self._vocabulary.texts, {text}, {text}, 0
        while reached:
            if any(self.complete(text) for text in reached):
                return steps
            longer = {text + texts[id] for text in reached for id in self.candidates(text)}
            reached = {self.alike(text) for text in longer if self.begun(text)} - seen
            seen |= reached
            steps += 1
        return math.inf

    def _has_number(self, text: str, number: re.Pattern[str]) -> bool:
        at = _NUMBER_ENDS.search(text)
        start = at.start() if at else len(text)
        return text[:start] in self._texts and number.fullmatch(text, start) is not None

    def _that_begin_numbers(self) -> list[int]:
        """The ids of tokens with the characters of numbers, possibly behind the end of one of the texts."""
        texts = self._vocabulary.texts
        ends = {text[start:] for text in self._texts for start in range(len(text) + 1)}
        found = ((id, _NUMBER_ENDS.search(text)) for id, text in enumerate(texts) if text[-1:] in {*"-0123456789,./"})
        return [id for id, match in found if match and texts[id][: match.start()] in ends]
