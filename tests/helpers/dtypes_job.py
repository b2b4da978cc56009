"""What test_dtypes.py lets each of two processes do; a module of its own, so that they can import it by name."""

from pathlib import Path

import torch

from memreason.models import dtypes
from memreason.models.dtypes import Measured, choose_dtype, dtype_name


def disagree(rank: int, base: str, folder: str) -> None:
    """Measure something else than the other one, and write down which data type is taken."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    found = [Measured(3.0, 1.0), Measured(1.0, 3.0)][rank]
    dtypes.measure = lambda shapes, threads: found  # type: ignore[assignment]
    Path(folder, str(rank)).write_text(dtype_name(choose_dtype("auto", base, torch.device("cpu"))))
    torch.distributed.barrier()  # else the first to leave may take what the other still waits for along
    torch.distributed.destroy_process_group()
