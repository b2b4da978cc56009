"""What a labelling run shows: a progress bar while it works, a table at its end."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from memreason.label.replies import REASONS
from memreason.label.solutions_and_rejects import RunFiles, rejects_path
from memreason.llm.meter import Meter
from memreason.runtime.terminal import show


class LabelProgress:
    """A progress bar: rows, tokens, dollars, rejects, retries, time left. Quiet where nobody watches."""

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
        """Show where the run stands; ``waiting`` results are there, but not yet on disk."""
        self._progress.update(self._task, completed=self._out.done + waiting, figures=self._figures())

    def say(self, text: str) -> None:
        """A line above the bar."""
        show(self._progress.console, text)

    def _figures(self) -> str:
        meter, rejected = self._meter, self._out.rejected.total()
        return f"{meter.tokens:,} tokens  {meter.dollars(2)}  {rejected} rejected  {meter.retries} retries"


def print_summary(console: Console, out: RunFiles, meter: Meter) -> None:
    """What became of every question, and what it cost."""
    table = Table(box=None, padding=(0, 2), title="labelled", title_justify="left")
    table.add_column("outcome")
    table.add_column("questions", justify="right")
    table.add_column("", justify="right")
    table.add_column("meaning", style="dim")
    rows = [("accepted", out.accepted, "memory/reason solutions")]
    rows += [(reason, count, REASONS.get(reason, "")) for reason, count in out.rejected.most_common()]
    for name, count, meaning in rows:
        table.add_row(name, f"{count:,}", f"{100 * count / max(out.done, 1):.1f}%", meaning)
    show(console, table)
    show(
        console,
        f"{meter.requests:,} requests, {meter.retries:,} of them retries; {meter.tokens:,} tokens; {meter.dollars(4)}",
    )
    if out.rejected and not meter.requests:
        show(console, "every reply was in the request cache; other models, prompts or more --repairs ask anew")
    show(console, f"solutions: {out.output}")
    if out.rejected:
        show(console, f"rejects:   {rejects_path(out.output)}")
