"""A description of this machine and of the installed versions, and the peak memory of a process."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from memreason.runtime.machine import cpu_info, processor, versions

TELLING = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "asimd", "sve", "bf16", "i8mm")
"""Processor features that decide how fast matrix products are."""
PACKAGES = ("memreason", "torch", "transformers", "peft", "accelerate", "trl", "llama-cpp-python", "vllm")


def describe() -> dict[str, Any]:
    """Processor, cores and threads, the features `TELLING`, memory in bytes, GPU, and the installed versions."""
    import psutil
    import torch

    info = cpu_info()
    features = (info.get("flags") or info.get("Features") or "").split()
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "features": [name for name in TELLING if name in features],
        "memory": psutil.virtual_memory().total,
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.release()}",
        "versions": versions(PACKAGES),
    }


def peak_memory() -> dict[str, int]:
    """The most bytes that this process has held: `process` memory and, if there is one, `accelerator` memory.

    On Linux they are read from /proc, because `getrusage` also counts the memory that the parent process held when it
    started this one; on Windows from psutil.
    """
    import psutil
    import torch

    try:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        held = {"process": int(line.split()[1]) * 1024}
    except (OSError, StopIteration):
        try:
            import resource

            unit = 1 if sys.platform == "darwin" else 1024
            held = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
        except ImportError:
            now = psutil.Process().memory_info()
            held = {"process": getattr(now, "peak_wset", now.rss)}
    if torch.cuda.is_available():
        held["accelerator"] = torch.cuda.max_memory_allocated()
    return held


def forget_peak_memory() -> None:
    """Let `peak_memory` count from now on, if the system supports it."""
    import torch

    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
