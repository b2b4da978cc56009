"""Each contestant works in its own process, so that it can wait for its turn there, and fail without the others."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from memreason.benchmark.machine import peak_memory
from memreason.benchmark.workload import Turn, Unsuited, Work
from memreason.errors import UserError

CEILING = "ceiling"
LOG = "log"


class Contestant:
    """A contestant: the results of its ``turns`` so far, and the ``error`` that ended it, if any.

    ``work`` is a `Work`; a result is a `Turn`, or the rates of `measure_ceiling`.
    """

    def __init__(self, section: str, name: str, work: Work):
        self.section, self.name, self.work = section, name, work
        self.turns: list[Any] = []
        self.error = ""
        self._process: Any = None

    def start(self) -> None:
        """Start the process, if it does not run already; it waits for `prepare`."""
        if self._process is not None:
            return
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._folder = tempfile.TemporaryDirectory(prefix="memreason-benchmark-")
        self._process = context.Process(target=_serve, args=(theirs, self._folder.name))
        self._process.start()
        theirs.close()
        self._say((self.section, self.name, self.work))

    def prepare(self) -> None:
        """Let it load the model and warm up."""
        self._say("prepare")
        self._hear()
        if self.error:
            self.close()

    def take_turn(self) -> None:
        """Let it take its turn while the others wait."""
        self._say("turn")
        turn = self._hear()
        if self.error:
            self.close()
        else:
            self.turns.append(turn)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._pipe.close()
            self._process.join(2)
            self._process.kill()
            self._process.join()
            self._folder.cleanup()
            self._process = None

    def _say(self, message: Any) -> None:
        if not self.error:
            try:
                self._pipe.send(message)
            except OSError:
                self._died()

    def _hear(self) -> Any:
        if self.error:
            return None
        try:
            result, self.error = self._pipe.recv()
        except (EOFError, OSError):
            self._died()
            return None
        return result

    def _died(self) -> None:
        self._process.join()
        log = Path(self._folder.name) / LOG
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        last_line = f": {lines[-1].strip()}" if lines else ""
        self.error = f"its process ended with code {self._process.exitcode}{last_line}"


def _serve(pipe: Connection, folder: str) -> None:
    """The work of the process: prepare, then take a turn whenever the message comes.

    The output of libraries and all temporary files go to ``folder``.
    """
    file = os.open(Path(folder) / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    tempfile.tempdir = folder
    os.dup2(file, 1)
    os.dup2(file, 2)
    # Only one device: Trainer would spread the work of one process over all devices that it sees.
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]
    turn: Callable[[], Any] | None = None
    try:
        section, name, work = pipe.recv()
        if work.config.device == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # some tools use every device that they see
        prepare = _preparation(section)
        while True:
            message = pipe.recv()
            try:
                if message == "prepare":
                    turn, result = prepare(name, work), None
                else:
                    assert turn is not None
                    result = turn()
                    if isinstance(result, Turn):
                        result.peak_memory = peak_memory()
                pipe.send((result, ""))
            except (Unsuited, UserError) as reason:
                pipe.send((None, str(reason)))
            except Exception as error:
                text = str(error).strip().splitlines() or [""]
                pipe.send((None, f"{type(error).__name__}: {text[0]}"))
    except (EOFError, OSError):  # the benchmark is over
        sys.exit()


def _preparation(section: str) -> Callable[[str, Work], Callable[[], Any]]:
    if section == CEILING:
        from memreason.benchmark.ceiling import measure_ceiling

        return lambda name, work: lambda: measure_ceiling(work.device)
    if section == "training":
        from memreason.benchmark.training import prepare
    else:
        from memreason.benchmark.generation import prepare
    return prepare
