"""Memory that was freed once is kept for next time, on Linux CPUs."""

from __future__ import annotations

import ctypes

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
