"""Controls: types that say nothing about their steps.

Typed planning tokens could help only because they are more tokens. A model trained with a control shows how much
that alone does. `random` draws a type for each step, `shared` gives all steps one type, and `shuffled` takes types
that do mean something and permutes them over all steps, so that each type stays as frequent as before.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np

from memreason.config.model import SHUFFLED
from memreason.step_types.corpus import Corpus
from memreason.step_types.methods import Settings, Tensors, Types

SHARED = "shared"


class Random(Types):
    """``num_types`` types, drawn by (seed, question id, position): a step gets the same type in every corpus."""

    def __init__(self, num_types: int, seed: int):
        self.names = tuple(f"random_{i}" for i in range(num_types))
        self.seed = seed

    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) uniform draws."""
        return np.array([random.Random(f"{self.seed} {id_}").randrange(len(self.names)) for id_ in corpus.ids], int)

    def state(self) -> tuple[Settings, Tensors]:
        """Nothing but the seed."""
        return {"seed": self.seed}, {}


class Shared(Types):
    """One type for all steps."""

    names = (SHARED,)

    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) zeros."""
        return np.zeros(len(corpus.texts), int)

    def state(self) -> tuple[Settings, Tensors]:
        """Nothing."""
        return {}, {}


CONTROLS: dict[str, Callable[[int, int], Types]] = {
    "random": Random,
    SHARED: lambda num_types, seed: Shared(),
}
"""Name of a control that needs no data → a function from (number of types, seed) to its types."""
LABELS = "labels"


def unshuffled(method: str) -> tuple[str, bool]:
    """(method that gives the types, whether they are permuted).

    `shuffled:k-means` permutes the types of `k-means`; `shuffled` permutes the `LABELS` of the data.
    """
    if method == SHUFFLED.rstrip(":"):
        return LABELS, True
    return method.removeprefix(SHUFFLED), method.startswith(SHUFFLED)


def shuffled(types: Sequence[str], seed: int) -> list[str]:
    """The same types in another order."""
    order = list(types)
    random.Random(seed).shuffle(order)
    return order
