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
    """What times.json holds: arm → mean seconds of a cell with all training questions.

    {"train": seconds of the training loop, "evaluate": of answering the test questions, with loading and saving,
    "explain", "all", "cells": of how many, "at_once": how many ran at the same time}. All cells together stand in
    "total": seconds of processes, not of the wall clock.
    """
    arms: dict[str, list[dict[str, float]]] = {}
    total = 0.0
    for cell in cells:
        rows = folder.times(cell) if folder.finished(cell) else []
        seconds = {row["command"]: float(row["seconds"]) for row in rows}
        total += sum(seconds.values())
        if rows and cell.size is None:
            parts = {"all": sum(seconds.values()), "at_once": float(rows[0]["at_once"])}
            if EXPLAIN in seconds:
                parts[EXPLAIN] = seconds.pop(EXPLAIN)
            loop = _training_loop(folder.of(cell)) if TRAIN in seconds else None
            if loop is not None:
                parts[TRAIN] = loop
            parts["evaluate"] = sum(seconds.values()) - (loop or 0.0)
            arms.setdefault(cell.arm, []).append(parts)
    by_arm = {
        arm: {name: round(mean(row[name] for row in rows if name in row), 1) for name in sorted(set().union(*rows))}
        | {"cells": len(rows)}
        for arm, rows in arms.items()
    }  # fmt: skip
    return {"format": 1, "total": round(total, 1), **by_arm}


def _training_loop(run: Path) -> float | None:
    """Seconds of the training loop, as transformers' Trainer logs them; None where they are not there."""
    path = run / _STATE
    log = read_json(path).get("log_history", []) if path.is_file() else []
    return next((float(row[_RUNTIME]) for row in reversed(log) if _RUNTIME in row), None)
