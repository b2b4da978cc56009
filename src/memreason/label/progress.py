"""The display of a labelling run while it works: a progress bar, and notes above it."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from memreason.label.solutions_and_rejects import RunFiles
from memreason.llm.meter import Meter
from memreason.runtime.terminal import show


class LabelProgress:
    """A progress bar: rows, tokens, dollars, rejects, retries, time left. Shows nothing if there is no terminal."""

    def __init__(self, console: Console, out: RunFiles, meter: Meter, total: int):
        self._out, self._meter, self._done_before = out, meter, out.done
        self._progress = Progress(
            TextColumn("labelling"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
            console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=total, completed=out.done, figures="")

    def __enter__(self) -> LabelProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.update()
        self._progress.stop()

    def update(self, waiting: int = 0) -> None:
        """Show the state of the run; ``waiting`` is the number of results that are not on disk yet."""
        self._progress.update(self._task, completed=self._out.done + waiting, figures=self._figures())

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        show(self._progress.console, text)

    def _figures(self) -> str:
        meter, rejected = self._meter, self._out.rejected.total()
        return f"{meter.tokens:,} tokens  {meter.dollars(2)}  {rejected} rejected  {meter.retries} retries"
