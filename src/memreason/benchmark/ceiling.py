"""The most that this machine can do: the rates of large matrix products and of copying memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch

SIZE = 2048
COPIED = 256 * 1024**2
"""Bytes of the tensor that is copied: more than the processor's caches hold."""


def synchronize() -> None:
    """Wait until the accelerator, if there is one, has finished its work."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def measure_ceiling(device: torch.device) -> dict[str, float]:
    """The best rates of a few tries.

    `bfloat16` and `float32` are matrix products, in floating-point operations per second; `bandwidth` is copying, in
    bytes per second, read and written.
    """
    size = SIZE * 4 if device.type != "cpu" else SIZE
    rates = {}
    for dtype in (torch.bfloat16, torch.float32):
        a = torch.randn(size, size, device=device, dtype=dtype)
        rates[str(dtype).removeprefix("torch.")] = 2.0 * size**3 / _best(partial(torch.matmul, a, a))
    source = torch.ones(COPIED, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return rates | {"bandwidth": 2.0 * COPIED / _best(lambda: target.copy_(source))}


def _best(work: Callable[[], object], tries: int = 6, enough: float = 1.0) -> float:
    """Seconds of the fastest try. There are ``tries``, or fewer if they take more than ``enough`` seconds together."""
    seconds: list[float] = []
    while len(seconds) < 2 or (len(seconds) < tries and sum(seconds) < enough):
        synchronize()
        start = time.perf_counter()
        work()
        synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
