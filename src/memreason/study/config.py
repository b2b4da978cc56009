"""Options of `memreason study`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from memreason.config.fields import check_at_least, option
from memreason.errors import UserError

_WORKER = re.compile(r"(\d+)/(\d+)")


@dataclass
class StudyConfig:
    """Options of `memreason study`."""

    _argument_group_name: ClassVar[str] = "studying"

    recipe: str = option("", "a recipe of a study, or one of the package by its name")
    output_dir: str | None = option(None, "the study's folder (default: studies/<name of the recipe>)")
    plan: bool = option(
        False, "run nothing: show what would be run, how long it takes, and which differences it would find"
    )
    commands: bool = option(False, "run nothing: print the exact commands of all cells, as a script")
    parallel: int = option(1, "run this many cells at once; they share the processor's cores, and one GPU")
    worker: str | None = option(
        None,
        "I/N: this is worker I of N that share the folder, on this machine or on others. It begins with its own share "
        "of the cells, and goes on with those of others that nobody has begun",
    )
    only: list[str] = field(
        default_factory=list,
        metadata={"help": "run only these cells: plain, plain/seed-1, or a pattern such as '*/seed-1'"},
    )
    repeat: list[str] = field(
        default_factory=list,
        metadata={"help": "run these finished cells (plain/seed-1) a second time, and compare the traces byte by byte"},
    )
    minutes: float | None = option(
        None, "stop after so many minutes: cells under way are ended, and begun again by the same command"
    )
    results_only: bool = option(False, "run nothing: make tables and report from the cells that are finished")
    json: bool = option(
        False, "print results.json, or with --plan the plan and the commands, and nothing else, on stdout"
    )

    def __post_init__(self) -> None:
        if not self.recipe:
            raise UserError("the recipe is missing: memreason study study-atlas")
        check_at_least("parallel", self.parallel, 1)
        check_at_least("minutes", self.minutes, 0)
        given = [name for name in ("plan", "commands", "results_only") if getattr(self, name)] + ["repeat"] * bool(
            self.repeat
        )
        if len(given) > 1:
            raise UserError(f"--{given[0]} with --{given[1]}: say one of them")
        self.share()

    def share(self) -> tuple[int, int]:
        """(number of this worker from 0, number of workers)."""
        if self.worker is None:
            return 0, 1
        match = _WORKER.fullmatch(self.worker)
        number, count = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= number <= count:
            raise UserError(f"--worker {self.worker}: say 1/4 for the first of four workers, up to 4/4")
        return number - 1, count

    def folder(self, name: str) -> Path:
        """The study's folder, where the recipe is called ``name``."""
        return Path(self.output_dir).expanduser() if self.output_dir else Path("studies") / name
