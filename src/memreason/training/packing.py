"""Packing: several whole solutions in one row, so that rows have little padding (`--mode constant_len`)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any

import numpy as np

from memreason.training.dataset import Example, Examples


class PackedExamples(Sequence[Example]):
    """Rows of whole examples, put together on access. ``lengths`` (rows,): number of tokens of each row."""

    def __init__(self, examples: Examples, row_of: np.ndarray):
        """``row_of`` (examples,) is the row of each example; rows count from 0."""
        self._examples = examples
        self._order = np.argsort(row_of, kind="stable")
        self._ends = np.cumsum(np.bincount(row_of))
        self.lengths = np.bincount(row_of, weights=examples.lengths).astype(np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    def members(self, rows: np.ndarray) -> np.ndarray:
        """The examples in ``rows``, row by row."""
        starts = np.concatenate([[0], self._ends[:-1]])
        parts = [self._order[starts[row] : self._ends[row]] for row in rows]
        return np.concatenate([self._order[:0], *parts])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        start = self._ends[number - 1] if number else 0
        row = [self._examples[i] for i in self._order[start : self._ends[number]]]
        return {
            "input_ids": [i for example in row for i in example["input_ids"]],
            "labels": [i for example in row for i in example["labels"]],
            "position_ids": [i for example in row for i in range(len(example["input_ids"]))],
        }


def pack(examples: Examples, length: int) -> PackedExamples:
    """Put whole examples into rows of at most ``length`` tokens: the longest first, each into the row with the least
    room that is enough (best-fit decreasing).

    The same examples give the same rows. No example may be longer than ``length``.
    """
    row_of = np.empty(len(examples), dtype=np.int64)
    rows = 0
    with_room: dict[int, list[int]] = {}  # free tokens → the rows that have as many
    rooms: list[int] = []  # the keys of with_room, sorted
    for example in np.argsort(-examples.lengths, kind="stable"):
        size = int(examples.lengths[example])
        at = bisect_left(rooms, size)
        if at == len(rooms):
            room, row = length, rows
            rows += 1
        else:
            room = rooms[at]
            row = with_room[room].pop()
            if not with_room[room]:
                del with_room[room], rooms[at]
        row_of[example] = row
        if (left := room - size) not in with_room:
            with_room[left] = []
            insort(rooms, left)
        with_room[left].append(row)
    return PackedExamples(examples, row_of)
