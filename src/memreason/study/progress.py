"""How far a study is, and the time that is left, on one line."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Self

from tqdm.auto import tqdm

from memreason.runtime.terminal import in_words
from memreason.study.cells import Cell
from memreason.study.folder import StudyFolder
from memreason.study.work import State

Kind = tuple[str, int | None]
"""(arm, size): cells of one kind take as long."""


class Progress:
    """A bar of cells; its method `update` is called with each change. ``at_once`` cells run at the same time, those of
    other workers counted."""

    def __init__(self, folder: StudyFolder, cells: Sequence[Cell], at_once: int, shown: bool = True):
        self.folder, self.at_once = folder, at_once
        self.bar = tqdm(total=len(cells), desc="cells", disable=not shown, unit="cell", bar_format=_FORMAT)
        self._said: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def update(self, state: State) -> None:
        """Show ``state``."""
        seconds = seconds_of(self.folder, state.finished)
        left = time_left(state.left, state.running, seconds, self.at_once)
        parts = [f"{len(state.failed)} failed"] if state.failed else []
        if state.running:
            parts.append("now " + ", ".join(cell.name for cell in state.running))
        elif state.left:
            parts.append("waiting for " + ", ".join(cell.name for cell in state.left))
        if left is not None and state.left:
            parts.append(f"about {in_words(left)} left")
        self.bar.n = len(state.finished) + len(state.failed)
        self.bar.set_postfix_str("; ".join(parts), refresh=False)
        if sys.stderr.isatty() or parts[:-1] != self._said or self.bar.n == self.bar.total:  # a log gets what is new
            self.bar.refresh()
        self._said = parts[:-1]


_FORMAT = "{desc} {n_fmt}/{total_fmt} [{elapsed}] {postfix}"


def seconds_of(folder: StudyFolder, finished: Sequence[Cell]) -> dict[Kind, float]:
    """Kind of cell → mean seconds that a finished one took."""
    found: dict[Kind, list[float]] = {}
    for cell in finished:
        if times := folder.times(cell):
            found.setdefault((cell.arm, cell.size), []).append(sum(row["seconds"] for row in times))
    return {kind: mean(each) for kind, each in found.items()}


def time_left(
    left: Sequence[Cell], running: Sequence[Cell], seconds: Mapping[Kind, float], at_once: int
) -> float | None:
    """Seconds until the cells in ``left``, of which some are ``running`` (half of each is taken as done), are finished;
    None where no cell is finished yet. Where none of a kind is, it takes as long as the others do on average."""
    if not seconds:
        return None
    usual, under_way = mean(seconds.values()), {cell.name for cell in running}
    shares = [(seconds.get((cell.arm, cell.size), usual), 0.5 if cell.name in under_way else 1) for cell in left]
    work = sum(each * share for each, share in shares)
    longest = max((each * share for each, share in shares), default=0.0)
    return max(work / max(1, min(at_once, len(left))), longest)
