"""Types that say nothing about their steps, to tell what typed tokens do from what more tokens do.

`random` draws a type for each step, `shared` gives all steps one type, `shuffled` permutes types that
do mean something over all steps, so that each is as frequent as it was.
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
    """``num_types`` types, drawn by (seed, question id, position): the same step gets the same in any corpus."""

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
"""Controls that need no data → (number of types, seed) → their types."""
LABELS = "labels"


def unshuffled(method: str) -> tuple[str, bool]:
    """(whose types, whether they are permuted): `shuffled:k-means` permutes those of `k-means`, and `shuffled` the
    `LABELS` of the data."""
    if method == SHUFFLED.rstrip(":"):
        return LABELS, True
    return method.removeprefix(SHUFFLED), method.startswith(SHUFFLED)


def shuffled(types: Sequence[str], seed: int) -> list[str]:
    """The same types in another order."""
    order = list(types)
    random.Random(seed).shuffle(order)
    return order
