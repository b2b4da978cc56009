"""What is to be continued, and by which rules: what every way of decoding is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")


class LazySequence(Sequence[Item]):
    """A sequence whose items are made each time they are asked for."""

    def __init__(self, count: int, make: Callable[[int], Item]):
        self._numbers, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        at = self._numbers[index]
        return [self._make(i) for i in at] if isinstance(at, range) else self._make(at)


@dataclass(frozen=True)
class Requests:
    """Prompts, sorted by length, and how many ids each may be continued with, the end token included.

    ``longest`` is the most tokens that a prompt and its continuation have together.
    """

    prompts: Sequence[Sequence[int]]
    max_new_tokens: Sequence[int]
    longest: int

    def __len__(self) -> int:
        return len(self.prompts)


@dataclass(frozen=True)
class Rules:
    """What decides how an answer goes on, besides the model: each is a function of the ids generated so far.

    ``end_id`` ends an answer. ``forced`` gives the one id that must follow (None: the model is free). ``is_ended`` says
    that an answer has ended without an end token. ``draft`` gives ids that are likely to follow; the last few of the
    generated ids, as many as its second argument says, are new to it. It changes the time taken, and nothing else.
    """

    end_id: int
    forced: Callable[[list[int]], int | None] | None = None
    is_ended: Callable[[list[int]], bool] | None = None
    draft: Callable[[list[int], int], list[int]] | None = None


OnEnded = Callable[[int, list[int]], None]
"""Is given the number of a request and its generated ids, as soon as it has ended."""
