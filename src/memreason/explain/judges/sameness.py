"""Whether two sentences say the same, contradict each other, or neither can be told: embeddings and the rules of `wording`.

- Sentences whose embeddings have a cosine of less than `ABOUT` are about different things: nothing can be told.
- Else they contradict each other where exactly one is negative, where each has a number that the other lacks, where one
  has a word and the other its opposite, or where they share a name and each has another one that the other lacks.
- Else they say the same if the cosine is at least `SAME`; below, nothing can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from memreason.explain.judges.wording import is_negative, opposite, other_names, other_numbers
from memreason.runtime.devices import choose_device
from memreason.step_types.embeddings import SentenceEncoder, Source

ABOUT, SAME = 0.7, 0.8
"""The thresholds, chosen on atlas for all-MiniLM-L6-v2: of 0.4 to 0.7 and 0.7 to 0.9, those with the best kappa on memories
that a trained model wrote. A higher ABOUT finds fewer false memories, and accuses fewer true ones about something else.
Figures are in docs/how-to/judges.md."""
_BATCH = 64


class Match(NamedTuple):
    """A sentence that another one was compared with: its place in the list, and what came out."""

    place: int
    same: bool | None
    """True: both say the same. False: they contradict each other. None: neither can be told."""


class Sentences:
    """Compares sentences with the encoder ``name``; each text is embedded once."""

    def __init__(self, name: str):
        self._encoder = SentenceEncoder(Source("", encoder=name), choose_device()).encoder
        self._vectors: dict[str, np.ndarray] = {}

    def read(self, texts: Iterable[str], progress: bool = True) -> None:
        """Embed the texts that are not embedded yet, with a progress bar."""
        new = sorted(set(texts) - self._vectors.keys(), key=len)
        with tqdm(total=len(new), desc="embedding sentences", disable=not (progress and new), unit="sentence") as bar:
            for start in range(0, len(new), 16 * _BATCH):
                part = new[start : start + 16 * _BATCH]
                vectors = self._encoder.encode(part, batch_size=_BATCH, show_progress_bar=False, normalize_embeddings=True)
                self._vectors |= zip(part, np.asarray(vectors, np.float32), strict=True)
                bar.update(len(part))

    def find(self, text: str, among: Sequence[str]) -> Match | None:
        """The sentence ``among`` these that says the same as ``text``; else the nearest. None where all are about
        something else. All texts must have been `read`."""
        if not among:
            return None
        cosines = np.stack([self._vectors[other] for other in among]) @ self._vectors[text]
        best: Match | None = None
        for place in np.argsort(-cosines, kind="stable"):
            if cosines[place] < ABOUT:
                break
            match = Match(int(place), _same(text, among[place], float(cosines[place])))
            if match.same:
                return match
            best = best or match
        return best


@lru_cache(maxsize=1)
def sentences(name: str) -> Sentences:
    """The encoder of this name with what it has read, loaded once."""
    return Sentences(name)


def _same(one: str, other: str, cosine: float) -> bool | None:
    if (
        is_negative(one) != is_negative(other)
        or other_numbers(one, other)
        or other_names(one, other)
        or opposite(one, other)
    ):
        return False
    return True if cosine >= SAME else None
