"""Studies without training: a program that stands in for memreason's commands, and cells of its commands."""

import sys
from collections.abc import Sequence
from pathlib import Path

from memreason.study.cells import RUN, Cell, Step
from memreason.study.folder import StudyFolder
from memreason.study.recipe import Recipe, read_study
from memreason.study.work import Worker

STAND_IN = """import pathlib, sys, time
command, folder, *rest = sys.argv[1:]
print("began", folder)
if "fail" in rest:
    print("progress 1%\\rprogress 9%")
    sys.exit("it went wrong")
with open(pathlib.Path(folder, "begun"), "a") as file:
    print(command, file=file)
gate = pathlib.Path(folder).parents[3] / "gate"
while "wait" in rest and not gate.exists():
    time.sleep(0.02)
pathlib.Path(folder, "mark-" + command).write_text("{}")
"""
"""Writes `begun` (a line each time) and its mark, the file `mark-COMMAND`. Where it is told to, it fails, or waits
for a file `gate` beside the study's folder."""


def program(folder: Path) -> tuple[str, ...]:
    """What runs the stand-in."""
    path = folder / "stand_in.py"
    path.write_text(STAND_IN)
    return sys.executable, "-S", str(path)


def cell(arm: str, seed: int = 1, how: Sequence[str] = (), commands: Sequence[str] = ("train",)) -> Cell:
    """A cell of the stand-in's commands."""
    return Cell(arm, seed, None, tuple(Step((each, RUN, *how), f"mark-{each}") for each in commands))


def prepared(folder: Path, cells: Sequence[Cell]) -> StudyFolder:
    """A study's folder in which these cells can be run."""
    study = StudyFolder(folder / "study")
    study.prepare(recipe(folder, {each.arm: "{}" for each in cells}), cells)
    return study


def recipe(folder: Path, arms: dict[str, str], more: str = "") -> Recipe:
    """A recipe with these arms, and further lines."""
    path = folder / "study.yaml"
    path.write_text("arms:\n" + "".join(f"  {name}: {options}\n" for name, options in arms.items()) + more)
    return read_study(path)


def worker(folder: Path, study: StudyFolder, parallel: int = 1, share: tuple[int, int] = (0, 1), **more) -> Worker:
    """A worker that runs the stand-in."""
    return Worker(study, parallel, share, program=program(folder), **more)
