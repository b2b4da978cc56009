"""Whether two texts say the same, contradict each other, or neither can be told: by embeddings, and by `wording`.

A step may have several sentences. Each is compared with all sentences that are about the same: the cosine of the
embeddings is at least `ABOUT`.

- Two sentences say the same if the cosine is at least `SAME`, and no rule finds a difference.
- They contradict each other if a rule finds exactly one difference, and the cosine is at least `EVENED` once the two
  are made equal in it: so they say the same but for the negation, number, name or word that differs.
- Else nothing can be told.

A sentence that says the same as one of them and contradicts another says the same. A step contradicts where one of its
sentences does. Else it says the same where all its sentences do, or where the means of the sentences' embeddings have a
cosine of at least `SAME_WHOLE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from memreason.explain.judges.wording import Differences, differences
from memreason.runtime.devices import choose_device
from memreason.step_types.embeddings import SentenceEncoder, Source
from memreason.tasks.sentences import sentences as split

ABOUT, SAME, EVENED, SAME_WHOLE = 0.7, 0.8, 0.9, 0.95
"""The thresholds for all-MiniLM-L6-v2, chosen on atlas."""
_BATCH = 64


class Match(NamedTuple):
    """What a text was compared with: the place of the nearest one, and what came out."""

    place: int
    same: bool | None
    """True: both say the same. False: they contradict each other. None: neither can be told."""


class _LaidOut(NamedTuple):
    """Texts to compare with: all their sentences, (sentences, width) embeddings, and (texts, width) means of these."""

    sentences: list[str]
    vectors: np.ndarray
    wholes: np.ndarray


class Sentences:
    """Compares texts with the encoder ``name``; each sentence is embedded once."""

    def __init__(self, name: str):
        self._encoder = SentenceEncoder(Source("", encoder=name), choose_device()).encoder
        self._vectors: dict[str, np.ndarray] = {}

    def read(self, sentences: Iterable[str], progress: bool = True) -> None:
        """Embed the sentences, those that are new, with a progress bar."""
        new = sorted(set(sentences) - self._vectors.keys(), key=lambda text: (-len(text), text))
        with tqdm(total=len(new), desc="embedding sentences", disable=not (progress and new), unit="sentence") as bar:
            for start in range(0, len(new), 16 * _BATCH):
                part = new[start : start + 16 * _BATCH]
                vectors = self._encoder.encode(
                    part, batch_size=_BATCH, show_progress_bar=False, normalize_embeddings=True
                )
                self._vectors |= zip(part, np.asarray(vectors, np.float32), strict=True)
                bar.update(len(part))

    def find(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[Match | None]:
        """For each text and the texts that it is compared with: the nearest of them, and whether they say the same;
        None where there is nothing to compare with."""
        # A list that many texts are compared with, such as a table, is read and laid out once.
        lists = {id(among): among for _, among in pairs if among}
        texts = chain((text for text, among in pairs if among), *lists.values())
        self.read(part for text in texts for part in _sentences(text))
        laid_out = {key: self._lay_out(among) for key, among in lists.items()}
        near = [
            [self._near(part, laid_out[id(among)]) for part in _sentences(text)] if among else []
            for text, among in pairs
        ]
        self.read(text for parts in near for part in parts for _, by in part if by.evened for text in by.evened)
        return [
            self._match(text, laid_out[id(among)], parts) if among else None
            for (text, among), parts in zip(pairs, near, strict=True)
        ]

    def _lay_out(self, among: Sequence[str]) -> _LaidOut:
        parts = [part for text in among for part in _sentences(text)]
        vectors = np.stack([self._vectors[part] for part in parts])
        return _LaidOut(parts, vectors, np.stack([self._whole(text) for text in among]))

    def _near(self, sentence: str, among: _LaidOut) -> list[tuple[float, Differences]]:
        """The cosine with each sentence that is about the same, and how the two differ."""
        cosines = among.vectors @ self._vectors[sentence]
        return [
            (float(cosines[place]), differences(sentence, among.sentences[place]))
            for place in np.flatnonzero(cosines >= ABOUT)
        ]

    def _match(self, text: str, among: _LaidOut, parts: list[list[tuple[float, Differences]]]) -> Match:
        cosines = among.wholes @ self._whole(text)
        place = int(np.argmax(cosines))
        said = [self._same(part) for part in parts]
        if False in said:
            return Match(place, False)
        return Match(place, True if None not in said or cosines[place] >= SAME_WHOLE else None)

    def _same(self, near: list[tuple[float, Differences]]) -> bool | None:
        """What one sentence says, beside those that are about the same."""
        if any(cosine >= SAME and not by.ways for cosine, by in near):
            return True
        denied = any(by.evened and self._cosine(*by.evened) >= EVENED for _, by in near)
        return False if denied else None

    def _whole(self, text: str) -> np.ndarray:
        """The mean of its sentences' embeddings, of length 1."""
        mean = np.mean([self._vectors[sentence] for sentence in _sentences(text)], axis=0)
        return mean / np.linalg.norm(mean)

    def _cosine(self, one: str, other: str) -> float:
        return float(self._vectors[one] @ self._vectors[other])


@lru_cache(maxsize=1)
def sentences(name: str) -> Sentences:
    """The encoder of this name with what it has read, loaded once."""
    return Sentences(name)


def _sentences(text: str) -> list[str]:
    return split(text) or [text]
