"""Where models compute: the one place that decides, for every command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memreason.errors import UserError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
DEVICE_HELP = (
    "where to compute; auto = on a CUDA or ROCm GPU if there is one, else the CPU; mps is Apple's, xpu Intel's"
)


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name, one of `DEVICES`; of several GPUs, the one that this process uses.

    `auto` leaves Apple's and Intel's GPUs (mps, xpu) to those who ask for them: nothing here was ever run on one, and
    what a backend that nobody tried computes wrongly would go unnoticed. Raises UserError where there is no such
    device.
    """
    import torch

    if name not in DEVICES:
        raise UserError(f"--device {name!r}: must be one of {', '.join(DEVICES)}")
    there = ["cpu"]
    there += ["cuda"] if torch.cuda.is_available() else []
    there += ["mps"] if torch.backends.mps.is_available() else []
    there += ["xpu"] if torch.xpu.is_available() else []
    if name == "auto":
        wants_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")  # accelerate launch --cpu
        return torch.device("cuda" if "cuda" in there and not wants_cpu else "cpu")
    if name not in there:
        raise UserError(f"--device {name}: there is none that this PyTorch can use here; what is: {', '.join(there)}")
    return torch.device(name)
