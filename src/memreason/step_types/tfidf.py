"""Each type is a word: of a few chosen words, a step gets the one with the largest weight in it.

Weights are tf-idf (scikit-learn). The words are chosen one after another: the next word is the one with the largest
sum of weights over the steps that contain none of the words chosen so far. A step that contains no chosen word has the
type `other`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from memreason.errors import UserError
from memreason.planning_tokens.names import ANSWER, PREFIX, SPELLINGS
from memreason.records import MEMORY, PLAIN, REASON
from memreason.step_types.corpus import Corpus
from memreason.step_types.methods import Method, Settings, Tensors, Types

OTHER = "other"
_RESERVED = {PREFIX, ANSWER, PLAIN, MEMORY, REASON, OTHER, *SPELLINGS}
_WORD = r"[a-z]{3,}"
_RAREST = 3
"""A word must occur in at least so many steps."""


@dataclass(frozen=True)
class Words(Types):
    """``names`` are the words, then `other`; ``idf`` are the words' inverse document frequencies, (words,)."""

    names: tuple[str, ...]
    idf: np.ndarray
    names_are_words: ClassVar[bool] = True

    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) the number of the word with the largest weight: its count in the step times its idf."""
        weights = _count(corpus.texts, self.names[:-1]).multiply(self.idf).toarray()
        return np.where(weights.any(1), weights.argmax(1), len(self.names) - 1)

    def state(self) -> tuple[Settings, Tensors]:
        """(settings for JSON, tensors): what `restore` needs."""
        return {"idf": dict(zip(self.names, self.idf.tolist(), strict=False))}, {}

    @classmethod
    def restore(cls, names: tuple[str, ...], settings: Settings, tensors: Tensors) -> Words:
        """The types, made again from the result of `state`."""
        return cls(names, np.array([settings["idf"][name] for name in names[:-1]]))


def fit(corpus: Corpus, num_types: int) -> Words:
    """Choose ``num_types`` - 1 words. Raises UserError if the steps have too few words."""
    vectorizer = TfidfVectorizer(token_pattern=_WORD, min_df=_RAREST, stop_words="english", norm=None)
    try:
        weights = vectorizer.fit_transform(corpus.texts)
    except ValueError:  # no word is left
        weights = csr_matrix((len(corpus.texts), 0))
    idf = dict(zip(vectorizer.get_feature_names_out(), vectorizer.idf_, strict=True)) if weights.shape[1] else {}
    free = [i for i, word in enumerate(idf) if word not in _RESERVED]
    if len(free) < num_types - 1:
        raise UserError(
            f"--num_types {num_types}: the steps have only {len(free)} words that occur in {_RAREST} steps or more; "
            "give a smaller number or more data"
        )
    words, weights, open_ = list(idf), weights.tocsc(), np.ones(len(corpus.texts))
    chosen: list[str] = []
    for _ in range(num_types - 1):
        gains = open_ @ weights
        best = max((i for i in free if words[i] not in chosen), key=lambda i: gains[i])
        chosen.append(words[best])
        open_[weights[:, [best]].nonzero()[0]] = 0
    return Words((*chosen, OTHER), np.array([idf[word] for word in chosen]))


def _count(texts: Sequence[str], words: Sequence[str]) -> csr_matrix:
    """(steps, words) how often each word occurs in each step."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(token_pattern=_WORD, vocabulary=list(words)).transform(texts)


METHODS = {"tf-idf": Method(lambda corpus, options: fit(corpus, options.num_types), Words.restore)}
