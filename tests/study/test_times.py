"""times.json: how long the cells of an arm took, apart for each kind of machine."""

import json
from pathlib import Path

from memreason.study.cells import Cell, Step
from memreason.study.folder import StudyFolder
from memreason.study.times import times

STEPS = (Step(("train", "{run}"), "trained"), Step(("explain", "{run}"), "explained"))


def finished(folder: StudyFolder, cell: Cell, train: float, loop: float, gpu: str | None = None) -> None:
    """Leave what a cell leaves that took ``train`` seconds, ``loop`` of them in the training loop, and 5 to explain."""
    run = folder.of(cell)
    run.mkdir(parents=True)
    for step in cell.steps:
        (run / step.mark).write_text("{}")
    (run / "trainer_state.json").write_text(json.dumps({"log_history": [{"loss": 1.0}, {"train_runtime": loop}]}))
    machine = {"processor": "a processor", "gpu": gpu, "versions": {}}
    for command, seconds in (("train", train), ("explain", 5.0)):
        folder.add_times(cell, {"command": command, "seconds": seconds, "threads": 1, "at_once": 2, "machine": machine})


def test_unlike_machines_are_not_averaged_and_curves_count_in_the_total_only(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    cells = [Cell("plain", seed, None, STEPS) for seed in (1, 2, 3)] + [Cell("plain", 1, 200, STEPS)]
    unfinished = Cell("plain", 4, None, STEPS)
    finished(folder, cells[0], 100, 60)
    finished(folder, cells[1], 20, 10, gpu="a GPU")
    finished(folder, cells[2], 110, 70)
    finished(folder, cells[3], 50, 30)
    found = times(folder, [*cells, unfinished])
    assert found["total"] == 100 + 20 + 110 + 50 + 4 * 5
    on_cpu = {"all": 110.0, "evaluate": 40.0, "explain": 5.0, "train": 65.0, "cells": 2}
    on_gpu = {"all": 25.0, "evaluate": 10.0, "explain": 5.0, "train": 10.0, "cells": 1}
    kind = {"processor": "a processor", "at_once": 2}
    assert found["machines"] == [
        {**kind, "gpu": None, "arms": {"plain": on_cpu}},
        {**kind, "gpu": "a GPU", "arms": {"plain": on_gpu}},
    ]
