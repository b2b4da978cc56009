"""A second run of finished cells, into a folder of its own: are the traces the same, byte by byte?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION, TRACES
from memreason.runtime.files import listed
from memreason.study.cells import Cell
from memreason.study.folder import LOCKS, REPEATS, StudyFolder
from memreason.study.work import State, Worker

_TRACES = f"{EVALUATION}/{TRACES}"


def again(worker: Worker, cells: Sequence[Cell], on_change: Callable[[State], Any] = lambda state: None) -> State:
    """Run the ``cells`` once more, into `repeats/` in the study's folder; those that were repeated already are not.

    Only the commands that write the traces are run. Raises UserError where a cell is not finished.
    """
    if missing := [cell.name for cell in cells if not worker.folder.finished(cell)]:
        raise UserError(
            f"--repeat {listed(missing)}: not finished yet, so there is nothing to compare a second run with"
        )
    return replace(worker, folder=repeats_of(worker.folder)).work([_writing(cell) for cell in cells], on_change)


def repeats_of(folder: StudyFolder) -> StudyFolder:
    """The folder of second runs: laid out as a study's."""
    repeats = StudyFolder(folder.path / REPEATS)
    (repeats.path / LOCKS).mkdir(parents=True, exist_ok=True)
    return repeats


def compared(folder: StudyFolder, cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
    """Name of each cell that was run twice → {"same", "sha256" of the first run's traces, "bytes"}."""
    if not (folder.path / REPEATS).is_dir():
        return {}
    second, found = StudyFolder(folder.path / REPEATS), dict[str, dict[str, Any]]()
    for cell in cells:
        if folder.finished(cell) and second.finished(_writing(cell)):
            was, now = (_digest(each.of(cell) / _TRACES) for each in (folder, second))
            found[cell.name] = {"same": was == now, "sha256": was[0], "bytes": was[1]}
    return found


def _writing(cell: Cell) -> Cell:
    """The cell with its first command alone, which writes the traces."""
    return replace(cell, steps=cell.steps[:1])


def _digest(path: Path) -> tuple[str, int]:
    content = path.read_bytes()
    return hashlib.sha256(content).hexdigest(), len(content)
