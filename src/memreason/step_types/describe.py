"""A description of fitted types: how often each one is used, its words, its most typical steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from memreason.errors import UserError
from memreason.step_types.corpus import Corpus
from memreason.step_types.standardize import Standard
from memreason.step_types.store import RECORD, STEPS, read_record, read_steps

_TOKEN = r"[A-Za-z]{2,}|[-+*/%$]"


@dataclass(frozen=True)
class Use:
    """How evenly types are used.

    ``counts`` is the number of steps of each type. ``entropy`` is a share of the largest possible entropy, from 0 to
    1; ``perplexity`` is the exponential of the entropy: so many types, used equally, would have the same entropy.
    ``dead`` are the numbers of the types that no step has.
    """

    counts: tuple[int, ...]
    entropy: float
    perplexity: float
    dead: tuple[int, ...]

    @classmethod
    def of(cls, counts: Sequence[int]) -> Use:
        """Computed from the number of steps of each type; at least one of them must be above 0."""
        shares = np.array([count for count in counts if count]) / sum(counts)
        entropy = float(-(shares * np.log(shares)).sum())
        most = np.log(len(counts)) if len(counts) > 1 else 1.0
        dead = tuple(i for i, count in enumerate(counts) if not count)
        return cls(tuple(int(count) for count in counts), entropy / most, float(np.exp(entropy)), dead)


def points(corpus: Corpus) -> np.ndarray:
    """(steps, dimensions) points whose distances mean something: the standardised vectors; without vectors, tf-idf."""
    if corpus.vectors is not None:
        return Standard.of(corpus.vectors).apply(corpus.vectors)
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        weights = TfidfVectorizer(token_pattern=_TOKEN).fit_transform(corpus.texts)
    except ValueError:  # no text holds a word
        return np.zeros((len(corpus.texts), 1))
    most = min(weights.shape) - 1
    return TruncatedSVD(min(50, most), random_state=0).fit_transform(weights) if most > 0 else weights.toarray()


def distances_to_centre(points: np.ndarray, types: np.ndarray) -> np.ndarray:
    """(steps,) the distance of each step from the mean of its type's steps."""
    distances = np.zeros(len(points))
    for type_ in np.unique(types):
        own = types == type_
        distances[own] = np.linalg.norm(points[own] - points[own].mean(0), axis=1)
    return distances


def telling_words(texts: Sequence[str], types: np.ndarray, names: Sequence[str], most: int = 6) -> dict[str, list[str]]:
    """Type → the words and signs that tell its steps from the others, the best first; at most ``most`` for each type.

    The score of a word w for a type t is p(w|t) log(p(w|t) / p(w)), where p is the share of steps that contain w.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(token_pattern=_TOKEN, binary=True, min_df=min(3, len(texts)))
    try:
        holds = vectorizer.fit_transform(texts)
    except ValueError:  # no word stands in enough steps
        return {name: [] for name in names}
    words, everywhere = vectorizer.get_feature_names_out(), np.asarray(holds.mean(0)).ravel()
    best = {}
    for i, name in enumerate(names):
        own = types == i
        inside = np.asarray(holds[own].mean(0)).ravel() if own.any() else np.zeros(len(words))
        scores = np.where(inside > everywhere, inside * np.log(np.maximum(inside, 1e-12) / everywhere), 0)
        best[name] = [str(words[w]) for w in np.argsort(-scores)[:most] if scores[w] > 0]
    return best


@dataclass(frozen=True)
class TypeDescription:
    """One fitted type.

    ``steps`` is how many steps have it, and ``words`` tell it from the other types. ``typical`` are the texts of its
    steps, each text once, the nearest to the type's centre first.
    """

    name: str
    steps: int
    words: tuple[str, ...]
    typical: tuple[str, ...]


@dataclass(frozen=True)
class FitDescription:
    """Fitted types, the most used first.

    ``source`` says which model read the steps (the fields of `Source`); None if the method needs no model.
    """

    method: str
    dataset: str
    source: dict[str, Any] | None
    use: Use
    types: tuple[TypeDescription, ...]


def describe_fit(folder: Path, typical: int = 10) -> FitDescription:
    """The types in ``folder``, each with up to ``typical`` steps. Raises UserError if no fit can be read there."""
    record = read_record(folder)
    texts: dict[str, list[tuple[float, str]]] = {name: [] for name in record["names"]}
    for row in read_steps(folder):
        if row["type"] not in texts:
            raise UserError(
                f"{folder / STEPS}: a step has the type {row['type']!r}, which {RECORD} does not name; fit the types "
                "again"
            )
        texts[row["type"]].append((row["distance"], row["text"]))

    def describe(name: str) -> TypeDescription:
        nearest_first = dict.fromkeys(text for _, text in sorted(texts[name], key=itemgetter(0)))
        words = record["words"].get(name, [])
        return TypeDescription(name, len(texts[name]), tuple(words), tuple(nearest_first)[:typical])

    use = Use.of([len(own) for own in texts.values()])
    types = sorted(map(describe, texts), key=lambda type_: -type_.steps)
    return FitDescription(record["method"], record["dataset"], record["source"], use, tuple(types))
