"""How much each part of a text takes from each part before it: the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from memreason.records import MEMORY

START, EXAMPLES, QUESTION, PREFIX, ANSWER, OTHER = "start", "examples", "question", "prefix", "answer", "other"
"""Kinds of tokens beside the step types: the first token of the text (most models lay there what they have no use for),
solved examples before the question, the question, planning tokens that stand on every line, the answer line, and lines
that are no step (a plan)."""
SINK = "sink"
"""What a head gives to no token, in models with attention sinks."""
MOST_HEADS = 5
"""So many heads are named."""
MOST_MEMORY: Literal["most_memory"] = "most_memory"
Head = tuple[int, int] | Literal["most_memory"] | None
"""(layer, head), the head that reads memory tokens most, or none."""


@dataclass(frozen=True)
class Span:
    """A part of the text: tokens ``start`` to ``end`` - 1. ``step`` is the index of the step, from 0."""

    name: str
    type: str
    start: int
    end: int
    step: int | None = None


@dataclass(frozen=True, eq=False)
class Shares:
    """How a text, question and answer together, depends on itself.

    ``step_map`` (spans, spans): in row i, which shares the tokens of span i take from each span, on average over layers
    and heads. Shares of a row sum to 1 (less, where a model has sinks). A row is NaN where the method does not give it:
    `grad_x_input` gives only that of the answer. ``mass`` has, for each kind of token, what the *readers* take from
    it: the tokens of reason steps and of the answer line, or of all lines where no step is a reason step.

    ``layers`` are the numbers of the layers that attend, ``maps`` (layers, heads, spans, spans) the step maps of each
    head, and ``by_kind`` (layers, heads, kinds of ``mass`` in order) the masses of each head. ``token_map`` (tokens,
    tokens) has the weights of one ``head`` (layer, head); of `grad_x_input`, it is (1, tokens): the signed products.
    """

    method: str
    trace_id: str
    tokens: tuple[str, ...]
    kinds: tuple[str, ...]
    spans: tuple[Span, ...]
    step_map: np.ndarray
    mass: Mapping[str, float]
    layers: tuple[int, ...] = ()
    maps: np.ndarray | None = None
    by_kind: np.ndarray | None = None
    head: tuple[int, int] | None = None
    token_map: np.ndarray | None = None

    def heads(self, kind: str = MEMORY, most: int = MOST_HEADS) -> list[tuple[int, int, float]]:
        """(layer, head, mass) of the heads whose readers take most from tokens of ``kind``, the first one most.

        Empty where no token is of this kind, and for methods without heads."""
        if self.by_kind is None or kind not in self.mass:
            return []
        return most_mass(self.by_kind[..., list(self.mass).index(kind)], self.layers, most)


def most_mass(mass: np.ndarray, layers: Sequence[int], most: int = MOST_HEADS) -> list[tuple[int, int, float]]:
    """(layer, head, mass) of the heads with the largest ``mass`` (layers, heads), the largest first."""
    order = np.argsort(-mass, axis=None, kind="stable")[:most]
    places = zip(*np.unravel_index(order, mass.shape), strict=True)
    return [(layers[layer], int(head), float(mass[layer, head])) for layer, head in places]
