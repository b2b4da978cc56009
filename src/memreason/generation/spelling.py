"""Texts of which only some are possible, and how tokens can spell them: `The answer is: True`, `[memory]`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from memreason.generation.vocabulary import Vocabulary

MOST_SPACES = 3
"""The most spaces before a spelled text. Some tokenizers put one before each piece that is tokenized."""
_WHOLE = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,12}|[0-9]{1,40})"
_NUMBER = re.compile(rf"-?{_WHOLE}(?:\.[0-9]{{1,40}})?|-?[0-9]{{1,40}}/[1-9][0-9]{{0,39}}")
_NUMBER_BEGUN = re.compile(
    rf"-?(?:[0-9]{{0,40}}|[0-9]{{1,3}}(?:,[0-9]{{3}}){{0,11}},[0-9]{{0,3}}|{_WHOLE}\.[0-9]{{0,40}}"
    r"|[0-9]{1,40}/(?:[1-9][0-9]{0,39})?)"
)


class Spelling:
    """The texts that are possible: ``texts``; with ``number``, each of them followed by a number (-12, 3.5, 1,200, 1/3:
    the spellings that the strict extractor reads, and the gold answers have). Up to `MOST_SPACES` spaces may come first.

    The tokens of ``vocabulary`` that are `SINGLE` because they hold part of a character spell nothing here.
    """

    def __init__(self, vocabulary: Vocabulary, texts: Iterable[str], number: bool = False):
        self.vocabulary, self.texts, self.number = vocabulary, tuple(texts), number
        self._left: dict[str, float] = {}

    def begun(self, text: str) -> bool:
        """Whether ``text`` can become a possible text."""
        start = text.lstrip(" ")
        if len(text) - len(start) > MOST_SPACES:
            return False
        if any(whole.startswith(start) for whole in self.texts):
            return True
        return self.number and any(_NUMBER_BEGUN.fullmatch(rest) for rest in self._rests(start))

    def complete(self, text: str) -> bool:
        """Whether ``text`` is a possible text."""
        start = text.lstrip(" ")
        if self.number:
            return any(_NUMBER.fullmatch(rest) for rest in self._rests(start))
        return start in self.texts

    def alike(self, text: str) -> str:
        """The same for all texts that can be continued in the same ways: digits of a number do not differ."""
        return re.sub("[0-9]", "1", text) if self.number else text

    def candidates(self, text: str) -> list[int]:
        """The ids of the tokens with which ``text`` can begin to be continued."""
        start = text.lstrip(" ")
        following = {whole[len(start)] for whole in self.texts if whole.startswith(start) and whole != start}
        if not start:
            following.add(" ")
        if self.number and any(True for _ in self._rests(start)):
            following |= {*"-0123456789,./"}
        return [id for char in sorted(following) for id in self.vocabulary.by_first.get(char, ())]

    def left(self, text: str) -> float:
        """The fewest tokens that make ``text`` a possible text; infinite where none do."""
        text = self.alike(text)
        if text not in self._left:
            self._left[text] = self._search(text)
        return self._left[text]

    def _search(self, text: str) -> float:
        seen, reached, steps = {text}, {text}, 0
        while reached:
            if any(self.complete(text) for text in reached):
                return steps
            texts = self.vocabulary.texts
            longer = {self.alike(text + texts[id]) for text in reached for id in self.candidates(text)}
            reached = {text for text in longer if text not in seen and self.begun(text)}
            seen |= reached
            steps += 1
        return math.inf

    def _rests(self, start: str) -> Iterable[str]:
        return (start[len(whole) :] for whole in self.texts if start.startswith(whole))
