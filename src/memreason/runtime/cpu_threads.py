"""Compute with fewer threads while other programs use the processor.

The threads that compute one matrix product wait for each other. If one of them shares its core with another program,
all of them wait while that program runs, at every product; two threads are then slower than one. So the load of other
programs is measured now and then, and for each core that they use, one thread fewer computes. Changing how threads
wait (OMP_WAIT_POLICY, GOMP_SPINCOUNT) helps less, and costs speed where there is no other program.

The number of threads changes the last digits of sums in float32. So where OMP_NUM_THREADS is set, exactly that many
threads compute, always.
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
"""Seconds between two measurements of the load."""
_TAKEN, _FREE = 0.4, 0.2
"""A core counts as taken when others use more than the first share of it, and as free again below the second."""


class Threads:
    """Decides how many threads compute: ``most``, minus the cores that other programs use beyond the spare ones."""

    def __init__(self, most: int, cores: int, used: Callable[[], tuple[float, float]], clock: Callable[[], float]):
        """``used`` returns the processor seconds used so far: by all programs, and by this process. ``clock``
        returns the time in seconds."""
        self.most = self.now = most
        self._spare = max(0, cores - most)
        self._used, self._clock = used, clock
        self._last = clock(), *used()

    def look(self) -> int:
        """The number of threads to use from now on; it changes at most every half second."""
        passed = self._clock() - self._last[0]
        if passed < _EVERY:
            return self.now
        then, self._last = self._last, (self._clock(), *self._used())
        others = ((self._last[1] - then[1]) - (self._last[2] - then[2])) / passed - self._spare
        # Between the two thresholds the number stays as it is.
        self.now = min(max(self.now, self._without(others, _FREE)), self._without(others, _TAKEN))
        return self.now

    def _without(self, others: float, from_on: float) -> int:
        return max(1, self.most - max(0, ceil(others - from_on)))


_active: ContextVar[Threads | None] = ContextVar("memreason_threads", default=None)
"""The `Threads` of the current Python thread: OpenMP, too, has a number of threads for each thread that calls it."""


@contextmanager
def considerate() -> Iterator[None]:
    """Inside this context, `share_cores` adapts the number of threads that compute for the calling thread.

    Afterwards that number is the old one again.
    """
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
    """Adapt the number of threads, inside `considerate`. Call it before each piece of work on the CPU: it is cheap."""
    threads = _active.get()
    if threads and (count := threads.look()) != torch.get_num_threads():
        torch.set_num_threads(count)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor_seconds() -> tuple[float, float]:
    of_all = psutil.cpu_times()
    idle = of_all.idle + getattr(of_all, "iowait", 0.0) + getattr(of_all, "steal", 0.0)
    guests = getattr(of_all, "guest", 0.0) + getattr(of_all, "guest_nice", 0.0)  # counted in user and nice too
    own = psutil.Process().cpu_times()
    return sum(of_all) - idle - guests, own.user + own.system
