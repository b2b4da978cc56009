"""Memory: how much is free, and, with glibc on Linux, keeping freed memory in this process for its next use."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import psutil

_CONTAINER = Path("/sys/fs/cgroup")
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> None:
    """Tell the C library not to return freed memory to the system.

    By default, glibc maps each tensor above a few megabytes anew and unmaps it afterwards. The kernel then clears its
    pages every time, and this can take longer than the computation that fills them. Without glibc, nothing happens.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(_TOP_PAD, 64 << 20)
    except (OSError, AttributeError):
        return


def free_memory() -> float:
    """Bytes of memory that this process can still use.

    This is the free memory of the machine, or of the container if that has less, divided by the number of processes
    that a launcher started on this machine (LOCAL_WORLD_SIZE).
    """
    free = psutil.virtual_memory().available
    try:
        limit, used = (int((_CONTAINER / f"memory.{name}").read_text()) for name in ("max", "current"))
        kinds = dict(line.split() for line in (_CONTAINER / "memory.stat").read_text().splitlines())
        free = min(free, limit - used + int(kinds["inactive_file"]))  # cached files, which can be dropped
    except (OSError, ValueError, KeyError):  # no container, or one without a limit
        pass
    return free / int(os.environ.get("LOCAL_WORLD_SIZE", 1))
