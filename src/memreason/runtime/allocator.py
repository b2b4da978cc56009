"""Memory: how much is free; and what was freed once is kept for next time, on Linux CPUs."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import psutil

_CONTAINER = Path("/sys/fs/cgroup")
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> None:
    """Tell the C library not to return freed memory to the system.

    As it comes, each tensor above a few megabytes is mapped and unmapped anew, and the kernel clears its pages
    every time, which can take longer than the computation that fills them. Where there is no glibc, nothing happens.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(_TOP_PAD, 64 << 20)
    except (OSError, AttributeError):
        return


def free_memory() -> float:
    """Bytes that this process may count on: of the machine's or the container's, its part beside the others here."""
    free = psutil.virtual_memory().available
    try:
        limit, used = (int((_CONTAINER / f"memory.{name}").read_text()) for name in ("max", "current"))
        kinds = dict(line.split() for line in (_CONTAINER / "memory.stat").read_text().splitlines())
        free = min(free, limit - used + int(kinds["inactive_file"]))  # files in memory that can go
    except (OSError, ValueError, KeyError):  # no container, or one without a limit
        pass
    return free / int(os.environ.get("LOCAL_WORLD_SIZE", 1))
