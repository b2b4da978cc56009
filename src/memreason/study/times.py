"""What the clocks said: times.json, apart from the results, which are the same in every run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from memreason.runtime.files import read_json
from memreason.study.cells import EXPLAIN, TRAIN, Cell
from memreason.study.folder import StudyFolder

TIMES = "times.json"
_STATE, _RUNTIME = "trainer_state.json", "train_runtime"


def times(folder: StudyFolder, cells: Sequence[Cell]) -> dict[str, Any]:
    """What times.json holds: for each kind of machine, arm → mean seconds of a cell with all training questions.

    Cells count as run on one kind of machine where processor and GPU are the same, and as many ran at the same time
    ("at_once"); their times say nothing about those on another. {"train": seconds of the training loop, "evaluate": of
    answering the test questions, with loading and saving, "explain", "all", "cells": of how many}. All cells together
    stand in "total": seconds of processes, not of the wall clock.
    """
    kinds: dict[tuple[str, str | None, int], dict[str, list[dict[str, float]]]] = {}
    total = 0.0
    for cell in cells:
        rows = folder.times(cell) if folder.finished(cell) else []
        total += sum(float(row["seconds"]) for row in rows)
        if rows and cell.size is None:
            machine = rows[0]["machine"]
            arms = kinds.setdefault((machine["processor"], machine["gpu"], rows[0]["at_once"]), {})
            arms.setdefault(cell.arm, []).append(_parts(folder.of(cell), rows))
    machines = []
    for (processor, gpu, at_once), arms in kinds.items():
        means = {arm: _mean(rows) for arm, rows in arms.items()}
        machines.append({"processor": processor, "gpu": gpu, "at_once": at_once, "arms": means})
    return {"format": 1, "total": round(total, 1), "machines": machines}


def _parts(run: Path, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Seconds of what a cell did: its training loop, answering, explaining."""
    seconds = {row["command"]: float(row["seconds"]) for row in rows}
    parts = {"all": sum(seconds.values())}
    if EXPLAIN in seconds:
        parts[EXPLAIN] = seconds.pop(EXPLAIN)
    loop = _training_loop(run) if TRAIN in seconds else None
    if loop is not None:
        parts[TRAIN] = loop
    return parts | {"evaluate": sum(seconds.values()) - (loop or 0.0)}


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    names = sorted(set().union(*rows))
    return {name: round(mean(row[name] for row in rows if name in row), 1) for name in names} | {"cells": len(rows)}


def _training_loop(run: Path) -> float | None:
    """Seconds of the training loop, as transformers' Trainer logs them; None where they are not there."""
    path = run / _STATE
    log = read_json(path).get("log_history", []) if path.is_file() else []
    return next((float(row[_RUNTIME]) for row in reversed(log) if _RUNTIME in row), None)
