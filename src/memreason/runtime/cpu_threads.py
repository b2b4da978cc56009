"""As many threads as others leave cores: a busy neighbour then costs its share, and no more.

The threads of one product wait for each other. Where one of them has to share its core, all of them wait for as long
as the other program runs there, product after product, and two threads are slower than one. So what others use is
looked at now and then, and that many threads fewer compute. How threads wait (OMP_WAIT_POLICY, GOMP_SPINCOUNT) helps
less, and costs speed where there is no neighbour.

How many threads compute decides the last digits of sums in float32, so whoever sets OMP_NUM_THREADS gets exactly that
many, always.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil

import psutil
import torch

_EVERY = 0.5
"""Seconds between two looks."""
_TAKEN, _FREE = 0.4, 0.2
"""From so much of a core on it counts as taken, up to so much as free again."""


class Threads:
    """How many threads compute: at most ``most``, fewer by what others use of the ``cores``."""

    def __init__(self, most: int, cores: int, used: Callable[[], tuple[float, float]], clock: Callable[[], float]):
        """``used`` gives the processor seconds that all have used, and those of this process."""
        self.most = self.now = most
        self._spare = max(0, cores - most)
        self._used, self._clock = used, clock
        self._last = clock(), *used()

    def look(self) -> int:
        """The number of threads from now on; changes at most every half second."""
        passed = self._clock() - self._last[0]
        if passed < _EVERY:
            return self.now
        then, self._last = self._last, (self._clock(), *self._used())
        others = ((self._last[1] - then[1]) - (self._last[2] - then[2])) / passed - self._spare
        # Between the two thresholds it stays as it is.
        self.now = min(max(self.now, self._without(others, _FREE)), self._without(others, _TAKEN))
        return self.now

    def _without(self, others: float, from_on: float) -> int:
        return max(1, self.most - max(0, ceil(others - from_on)))


_active: ContextVar[Threads | None] = ContextVar("memreason_threads", default=None)
"""Of whoever computes in this thread of Python: OpenMP too keeps a number of threads for each that calls it."""


@contextmanager
def considerate() -> Iterator[None]:
    """Within, `share_cores` adapts the number of threads that compute for the calling one; afterwards it is what it
    was."""
    if _active.get() or torch.get_num_threads() == 1 or "OMP_NUM_THREADS" in os.environ:
        yield
        return
    threads = Threads(torch.get_num_threads(), _cores(), _processor_seconds, time.monotonic)
    token = _active.set(threads)
    try:
        yield
    finally:
        _active.reset(token)
        torch.set_num_threads(threads.most)


def share_cores() -> None:
    """To be called before each piece of work on the CPU, however small."""
    threads = _active.get()
    if threads and (count := threads.look()) != torch.get_num_threads():
        torch.set_num_threads(count)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor_seconds() -> tuple[float, float]:
    of_all = psutil.cpu_times()
    idle = of_all.idle + getattr(of_all, "iowait", 0.0) + getattr(of_all, "steal", 0.0)
    guests = getattr(of_all, "guest", 0.0) + getattr(of_all, "guest_nice", 0.0)  # which are in user and nice too
    own = psutil.Process().cpu_times()
    return sum(of_all) - idle - guests, own.user + own.system
