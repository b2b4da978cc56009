"""Types that say nothing about their steps, to tell what typed tokens do from what more tokens do.

`random` draws a type for each step, `shared` gives all steps one type, `shuffled` permutes types that
do mean something over all steps, so that each is as frequent as it was.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from memreason.step_types.corpus import Corpus

SHARED = "shared"


class Random:
    """``num_types`` types, drawn by (seed, question id, position): the same step gets the same in any corpus."""

    def __init__(self, num_types: int, seed: int):
        self.names = tuple(f"random_{i}" for i in range(num_types))
        self.seed = seed

    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) uniform draws."""
        return np.array([random.Random(f"{self.seed} {id_}").randrange(len(self.names)) for id_ in corpus.ids], int)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Nothing but the seed."""
        return {"seed": self.seed}, {}


class Shared:
    """One type for all steps."""

    names = (SHARED,)

    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) zeros."""
        return np.zeros(len(corpus.texts), int)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Nothing."""
        return {}, {}


def shuffled(types: Sequence[str], seed: int) -> list[str]:
    """The same types in another order."""
    order = list(types)
    random.Random(seed).shuffle(order)
    return order
