"""What is to be decoded, and by which rules: the arguments of every way of decoding."""

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


@dataclass(frozen=True)
class Rules:
    """What decides, besides the model, how an answer continues. The functions get the ids generated so far.

    ``end_id`` ends an answer. ``forced`` gives the only id that may follow (None: the model is free). ``is_ended`` says
    whether an answer has ended without an end token. ``draft`` gives ids that are likely to follow; its second argument
    is the number of ids of this answer that it has not seen before. Drafts change the time that decoding takes, and
    nothing else.
    """

    end_id: int
    forced: Callable[[list[int]], int | None] | None = None
    is_ended: Callable[[list[int]], bool] | None = None
    draft: Callable[[list[int], int], list[int]] | None = None


OnEnded = Callable[[int, list[int]], None]
"""A function that is called with the number of a request and its generated ids, as soon as it has ended."""
