"""The device on which models compute; every command chooses it here."""

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
    """The device called ``name``, one of `DEVICES`; where there are several GPUs, the one that this process uses.

    `auto` never chooses the GPUs of Apple and Intel (mps, xpu); name them to use them. memreason was never tested on
    them, so wrong results would go unnoticed. Raises UserError where ``name`` is unknown or there is no such device.
    """
    import torch

    if name not in DEVICES:
        raise UserError(f"--device {name!r}: must be one of {', '.join(DEVICES)}")
    usable = ["cpu"]
    usable += ["cuda"] if torch.cuda.is_available() else []
    usable += ["mps"] if torch.backends.mps.is_available() else []
    usable += ["xpu"] if torch.xpu.is_available() else []
    if name == "auto":
        wants_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")  # accelerate launch --cpu
        return torch.device("cuda" if "cuda" in usable and not wants_cpu else "cpu")
    if name not in usable:
        raise UserError(f"--device {name}: there is none that this PyTorch can use here, only {', '.join(usable)}")
    return torch.device(name)
