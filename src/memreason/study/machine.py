"""On which machine a cell was run, and how its cores and GPUs are shared out."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from typing import Any

from memreason.runtime.machine import processor, versions

PACKAGES = ("memreason", "torch", "transformers", "peft")
"""What decides the last digits of the figures, beside the processor."""
_THREADS, _GPUS = "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"


@cache
def machine() -> dict[str, Any]:
    """Processor, GPUs and versions; without anything that names this computer."""
    return {"processor": processor(), "gpu": next(iter(_gpus().values()), None), "versions": versions(PACKAGES)}


def environment(place: int, parallel: int) -> dict[str, str]:
    """The environment of the process at ``place`` of ``parallel`` ones: its share of the cores, and one GPU.

    Where the user has set the number of threads, it stays. The number changes the last digits of sums in float32.
    """
    given = dict(os.environ, PYTHONUNBUFFERED="1")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not given.get(_THREADS):
        given[_THREADS] = str(max(1, cores // parallel))
    gpus = given[_GPUS].split(",") if _GPUS in given else list(_gpus())
    if len(gpus) > 1:  # `memreason train` uses one, unless a launcher starts it
        given[_GPUS] = gpus[place % len(gpus)]
    return given


@cache
def _gpus() -> dict[str, str]:
    """Number → name of the GPUs that nvidia-smi lists."""
    if not shutil.which("nvidia-smi"):
        return {}
    command = ["nvidia-smi", "--query-gpu=index,name", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return {number.strip(): name.strip() for number, _, name in (line.partition(",") for line in listed.splitlines())}
