"""The folder of a study: where the cells lie, which of them are finished, and what they were begun with."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.runtime.files import read_json, replace_file, write_json
from memreason.study.cells import Cell, Step, flagged
from memreason.study.recipe import Recipe

RUNS, LOCKS, REPEATS = "runs", "locks", "repeats"
RECIPE, COMMANDS = "recipe.yaml", "commands.sh"
LOG, BEGUN, TIMES, FAILURE = "log.txt", "cell.json", "times.json", "failure.json"
"""Files in a cell's folder: what its commands said; with which commands it was begun; how long each took, and on which
machine; and why the last try failed."""
_LAST_LINES = 12
_READABLE = "take the cell's folder away, and the same command runs the cell again"


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study."""

    path: Path

    def of(self, cell: Cell) -> Path:
        """The folder of a cell."""
        return self.path / RUNS / cell.name

    def done(self, cell: Cell, step: Step) -> bool:
        """Whether a command of the cell was finished, and what it wrote is still there."""
        return all(_whole(self.of(cell) / name) for name in (step.mark, *step.beside))

    def forget(self, cell: Cell, step: Step) -> None:
        """Remove the mark of a command that is not `done`: with it, the command would take itself for finished."""
        (self.of(cell) / step.mark).unlink(missing_ok=True)

    def finished(self, cell: Cell) -> bool:
        """Whether all commands of the cell were finished."""
        return all(self.done(cell, step) for step in cell.steps)

    def lock_of(self, cell: Cell) -> Path:
        """The file that is locked while the cell is run. It is never removed: two processes could then each hold the
        lock of a file of this name."""
        return self.path / LOCKS / cell.name.replace("/", "--")

    def prepare(self, recipe: Recipe, cells: Sequence[Cell]) -> None:
        """Write the recipe and the commands. Raises UserError where a cell was begun with other commands, or where the
        folder cannot be written to."""
        for cell in cells:
            self.check_begun(cell)
        try:
            (self.path / LOCKS).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise UserError(f"--output_dir {self.path}: {error.strerror}; give another folder") from error
        _write(self.path / RECIPE, recipe.text)
        _write(self.path / COMMANDS, self.commands(recipe, cells))

    def commands(self, recipe: Recipe, cells: Sequence[Cell]) -> str:
        """All commands of the study, as a script that can be run by hand."""
        lines = [
            "#!/bin/sh",
            f"# {recipe.title}",
            "# The commands that `memreason study` runs, each in a process of its own, in any order.",
            "# To be run from the folder in which the study was started. train does not run again what is finished.",
            "set -e",
        ]
        for cell in cells:
            lines += ["", f"# {cell.name}", *(step.line(str(self.of(cell))) for step in cell.steps)]
        return "\n".join(lines) + "\n"

    def check_begun(self, cell: Cell) -> None:
        """Raise UserError where the cell was begun with other commands: its files are of another study."""
        path = self.of(cell) / BEGUN
        if path.is_file() and (was := read_json(path, _READABLE)["commands"]) != (now := _commands(cell)):
            changed = next(
                (old, new) for old, new in zip([*was, [], []], [*now, [], []], strict=False) if old != new
            )  # fmt: skip
            gone, come = (" ".join(_without(*pair)) or "nothing" for pair in (changed, changed[::-1]))
            raise UserError(
                f"{self.of(cell)} was begun with another command: {gone} there, {come} in the recipe. Take this folder "
                "away to run the cell again, or name another --output_dir"
            )

    def begin(self, cell: Cell) -> None:
        """Note with which commands the cell is run."""
        if not (self.of(cell) / BEGUN).is_file():
            write_json(self.of(cell) / BEGUN, {"commands": _commands(cell)})

    def add_times(self, cell: Cell, row: Mapping[str, Any]) -> None:
        """Note how long a command of the cell took. A command that was run again takes the place of its first run."""
        others = [each for each in self.times(cell) if each["command"] != row["command"]]
        write_json(self.of(cell) / TIMES, {"commands": [*others, dict(row)]})

    def times(self, cell: Cell) -> list[dict[str, Any]]:
        """What `add_times` noted."""
        path = self.of(cell) / TIMES
        return list(read_json(path, _READABLE)["commands"]) if path.is_file() else []

    def fail(self, cell: Cell, step: Step, code: int) -> None:
        """Note that a command of the cell failed."""
        folder = self.of(cell)
        row = {"command": step.command, "exit_code": code, "log": last_lines(folder / LOG)}
        write_json(folder / FAILURE, row)

    def failure(self, cell: Cell, since: float = 0) -> dict[str, Any] | None:
        """Why the cell's last try failed, where that was after ``since`` (seconds, by the clock of the folder's file
        system); None where it did not fail."""
        path = self.of(cell) / FAILURE
        try:
            return read_json(path, _READABLE) if path.stat().st_mtime >= since else None
        except FileNotFoundError:
            return None

    def forget_failure(self, cell: Cell) -> None:
        """Remove the note of an earlier failure."""
        (self.of(cell) / FAILURE).unlink(missing_ok=True)

    def now(self) -> float:
        """The time by the clock of the folder's file system, in seconds: workers may be on several machines."""
        with tempfile.NamedTemporaryFile(dir=self.path / LOCKS) as file:
            os.utime(file.fileno())
            return os.fstat(file.fileno()).st_mtime


def last_lines(path: Path, most: int = _LAST_LINES) -> list[str]:
    """The last lines of a log that say something; of a line that was written over, the last state."""
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 20_000))
        text = file.read().decode("utf-8", "replace")
    lines = [re.split(r"\r", line.rstrip("\r"))[-1].rstrip() for line in text.split("\n")]
    return [line[:500] for line in lines if line.strip()][-most:]


def _whole(path: Path) -> bool:
    """Whether a file of JSON or JSONL is there, with its end: a machine that lost its power may leave half of it."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8))
            return file.read().rstrip().endswith(b"}")
    except FileNotFoundError:
        return False


def _commands(cell: Cell) -> list[list[str]]:
    return [list(step.argv) for step in cell.steps]


def _without(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """The parts of ``first`` that ``second`` does not have, flags with their values."""
    pairs = [" ".join(pair) for pair in flagged(second)]
    return [" ".join(pair) for pair in flagged(first) if " ".join(pair) not in pairs]


def _write(path: Path, text: str) -> None:
    """Write a file unless it says this already: other workers may read it."""
    if not path.is_file() or path.read_bytes() != text.encode():
        replace_file(path, text.encode())
