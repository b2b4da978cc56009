"""What the answers of one model share in the grammar: how lines begin, and what each token can do (see `grammar`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from memreason.generation.spelling import Spelling
from memreason.generation.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Opening:
    """A place among the planning tokens at a line's start.

    ``after``: id → the place after it. ``types``: those whose tokens end here. ``left``: type → how many of its tokens
    are still to come.
    """

    after: Mapping[int, Opening]
    types: frozenset[str]
    left: Mapping[str, int]

    @staticmethod
    def of(marks: Mapping[str, tuple[int, ...]]) -> Opening:
        """The place before the planning tokens of each type."""
        rest: dict[int, dict[str, tuple[int, ...]]] = {}
        for type_, ids in marks.items():
            if ids:
                rest.setdefault(ids[0], {})[type_] = ids[1:]
        ended = frozenset(type_ for type_, ids in marks.items() if not ids)
        return Opening(
            {id: Opening.of(marks) for id, marks in rest.items()},
            ended,
            {type_: len(ids) for type_, ids in marks.items()},
        )


NOTHING = Opening({}, frozenset(), {})


@dataclass(frozen=True, eq=False)
class Tables:
    """What all answers of one model share.

    ``kinds`` has a kind (of `vocabulary`) for each id, ``members`` the ids of each kind, ``examples`` one of them.
    ``single`` are the ids that are judged one by one, ``colons`` those that can complete the answer phrase. ``types``
    are those of a step; ``typed``: planning tokens or words say which. ``words``: type → the spelling of its word.
    ``names``: id → planning token. ``next`` is the start of every line but the first. ``bare``: the first line has no
    planning tokens. ``short_line`` is the text of a token with a text and a line's end, if there is one. ``decode``
    gives the text of an id that is no text here.
    """

    vocabulary: Vocabulary
    rows: int
    end_id: int
    kinds: bytearray
    members: dict[int, torch.Tensor]
    examples: dict[int, int]
    single: list[int]
    colons: list[int]
    types: frozenset[str]
    typed: bool
    words: dict[str, Spelling]
    names: dict[int, str]
    first: Opening
    next: Opening
    bare: bool
    short_line: str | None
    decode: Callable[[int], str]
    masks: dict[Any, torch.Tensor] = field(default_factory=dict)

    @property
    def shortest_step(self) -> int:
        """The fewest tokens of a step's text and newline."""
        return 1 if self.short_line else 2

    def start(self, type_: str) -> float:
        """The fewest tokens at the start of a line of this type, the first line aside."""
        return self.next.left[type_] + (self.words[type_].left("") if self.words else 0)


@dataclass(frozen=True, eq=False)
class Answers:
    """What the answer line says: ``spelling``; if ``free``, any text on the same line follows it."""

    spelling: Spelling
    free: bool

    def left(self, line: str = "") -> float:
        """The fewest tokens that complete an answer line of which ``line`` is there, the end token included."""
        return self.spelling.left(line) + self.free + 1
