"""What other engines are asked for: whole lists of prompts, made when they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")


class LazySequence(Sequence[Item]):
    """A sequence whose items are made on each access."""

    def __init__(self, count: int, make: Callable[[int], Item]):
        self._numbers, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        at = self._numbers[index]
        return [self._make(i) for i in at] if isinstance(at, range) else self._make(at)


@dataclass(frozen=True)
class Requests:
    """Prompts, sorted by length, and for each the most ids that may be generated, the end token included.

    ``longest`` is the most tokens that a prompt and its continuation can have together.
    """

    prompts: Sequence[Sequence[int]]
    max_new_tokens: Sequence[int]
    longest: int

    def __len__(self) -> int:
        return len(self.prompts)


OnEnded = Callable[[int, list[int]], None]
"""A function that is called with the number of a request and its generated ids, as soon as it has ended."""
