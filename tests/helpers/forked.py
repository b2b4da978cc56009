"""Commands in processes of their own that start at once: copies of one process that has imported everything before."""

import os
import sys
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path


def start(arguments: list[str], log: Path) -> BaseProcess:
    """`memreason` with these arguments, in a process that can be killed; what it prints goes to ``log``."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["memreason.training.train", "memreason.cli.main"])
    process = context.Process(target=_run, args=(arguments, str(log)))
    process.start()
    return process


def _run(arguments: list[str], log: str) -> None:
    import torch

    from memreason.cli.main import main

    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    torch.set_num_threads(1)
    sys.exit(main(arguments))
