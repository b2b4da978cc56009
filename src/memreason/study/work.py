"""Runs the cells that are missing, each command in a process of its own. Any number of workers share a folder.

A cell is claimed by a lock on a file, which the cell's own process inherits. When a worker is killed, the lock is free
as soon as that process has ended as well: nobody waits for what is dead, and nobody runs a cell that is still running.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from memreason.runtime.locks import try_lock
from memreason.study.cells import Cell, Step
from memreason.study.folder import LOG, StudyFolder
from memreason.study.machine import environment, machine

PROGRAM = (sys.executable, "-m", "memreason")
_POLL, _LOOK = 0.1, 2.0
"""Seconds between two looks at the own processes, and at what other workers have finished."""
_GRACE = 20.0
"""Seconds that a process gets to end by itself."""


@dataclass
class State:
    """How far a study is: the cells that are finished, those that failed since this worker began, and those that this
    worker runs. All others that are left wait, or are run by other workers."""

    cells: Sequence[Cell]
    finished: list[Cell] = field(default_factory=list)
    failed: list[Cell] = field(default_factory=list)
    running: list[Cell] = field(default_factory=list)

    @property
    def left(self) -> list[Cell]:
        """The cells that are neither finished nor failed."""
        over = {cell.name for cell in (*self.finished, *self.failed)}
        return [cell for cell in self.cells if cell.name not in over]


class _Running:
    """A cell that is being run: its place among the worker's processes, its lock, and the command under way."""

    def __init__(self, worker: Worker, cell: Cell, place: int, lock: int):
        self.folder, self.parallel, self.program = worker.folder, worker.parallel, worker.program
        self.cell, self.place, self.lock = cell, place, lock
        self.log: IO[bytes] = (self.folder.of(cell) / LOG).open("ab")
        self.step: Step | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._next()

    def _next(self) -> None:
        """Start the next command that is not done yet; without one, the cell is over."""
        self.step = next((step for step in self.cell.steps if not self.folder.done(self.cell, step)), None)
        if self.step is None:
            return
        self.folder.forget(self.cell, self.step)
        folder = str(self.folder.of(self.cell))
        self.log.write(f"$ {self.step.line(folder)}\n".encode())
        self.log.flush()
        self.environment = environment(self.place, self.parallel)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*self.program, *self.step.arguments(folder)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, env=self.environment,
            pass_fds=(self.lock,) if os.name == "posix" else (),
        )  # fmt: skip

    def over(self) -> bool:
        """Whether the cell is finished or has failed; where a command has ended, the next one is started."""
        if self.step is None or self.process is None:
            return True
        code = self.process.poll()
        if code is None:
            return False
        if code or not self.folder.done(self.cell, self.step):
            self.folder.fail(self.cell, self.step, code)
            return True
        self.folder.add_times(
            self.cell,
            {"command": self.step.command, "seconds": round(time.monotonic() - self.started, 1),
             "threads": int(self.environment["OMP_NUM_THREADS"].split(",")[0]),  # OpenMP takes one for each level
             "at_once": self.parallel, "machine": machine()},
        )  # fmt: skip
        self._next()
        return self.step is None

    def close(self) -> None:
        """Give the cell back; a process that still runs is ended."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        os.close(self.lock)


@dataclass(frozen=True)
class Worker:
    """Runs cells of the study in ``folder``, ``parallel`` at once.

    ``share`` is (number of this worker from 0, number of workers). A worker begins with its own share, and goes on with
    cells of others that nobody runs. In a file system without locks it keeps to its own share. After ``seconds``, if
    they are given, it ends its processes and stops.
    """

    folder: StudyFolder
    parallel: int = 1
    share: tuple[int, int] = (0, 1)
    seconds: float | None = None
    program: Sequence[str] = PROGRAM
    """What runs a command, which follows as arguments."""

    def work(self, cells: Sequence[Cell], on_change: Callable[[State], Any] = lambda state: None) -> State:
        """Run the ``cells`` that are not finished, and return when all are finished or have failed.

        Cells that other processes run are waited for. ``on_change`` is called each time something may have changed. A
        cell that fails stops no other; where it failed before this call, it is tried again.
        """
        number, count = self.share
        began, since, state = time.monotonic(), self.folder.now(), State(cells)
        mine = [cell for at, cell in enumerate(cells) if at % count == number]
        others = [cell for at, cell in enumerate(cells) if at % count != number]
        own, running, looked = {cell.name for cell in mine}, list[_Running](), float("-inf")
        try:
            while self.seconds is None or time.monotonic() - began < self.seconds:
                over = [each for each in running if each.over()]
                for each in over:
                    running.remove(each)
                    each.close()
                if over or time.monotonic() - looked >= _LOOK:
                    state.running = [each.cell for each in running]
                    _look(self.folder, state, since)
                    candidates = iter([*_unclaimed(state, mine), *_unclaimed(state, others)])
                    free = [place for place in range(self.parallel) if place not in [each.place for each in running]]
                    for place, (cell, lock) in zip(free, _claims(self.folder, candidates, own, since), strict=False):
                        running.append(_Running(self, cell, place, lock))
                    state.running = [each.cell for each in running]
                    looked = time.monotonic()
                    on_change(state)
                    if not state.left and not running:
                        break
                time.sleep(_POLL)
        finally:
            for each in running:
                if each.process is not None and each.process.poll() is None:
                    each.process.terminate()  # all of them at once; `close` waits for each
            for each in running:
                each.close()
        state.running = []
        return state


def _look(folder: StudyFolder, state: State, since: float) -> None:
    """Find out what is finished and what has failed by now."""
    for cell in state.left:
        if folder.finished(cell):
            state.finished.append(cell)
        elif folder.failure(cell, since):
            state.failed.append(cell)


def _unclaimed(state: State, cells: Sequence[Cell]) -> list[Cell]:
    not_mine = {cell.name for cell in state.left} - {cell.name for cell in state.running}
    return [cell for cell in cells if cell.name in not_mine]


def _claims(folder: StudyFolder, cells: Iterator[Cell], own: set[str], since: float) -> Iterator[tuple[Cell, int]]:
    """Those of the ``cells`` that nobody runs, one by one, with the handle that holds the lock."""
    for cell in cells:
        handle = os.open(folder.lock_of(cell), os.O_RDWR | os.O_CREAT, 0o666)
        locked = try_lock(handle)
        not_ours = locked is False or (locked is None and cell.name not in own)
        if not_ours or folder.finished(cell) or folder.failure(cell, since):  # the last by others, a moment ago
            os.close(handle)
        else:
            folder.begin(cell)
            folder.forget_failure(cell)
            yield cell, handle
