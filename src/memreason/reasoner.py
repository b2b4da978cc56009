"""Ask a trained model from Python: `load(path).answer("…")`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from memreason import model
from memreason.devices import choose_device
from memreason.generate import generate, stream
from memreason.model import ModelUnit
from memreason.planning_tokens import EACH_STEP, FRONT, PlanningTokens
from memreason.records import MEMORY, REASON, Question, Trace, one_line
from memreason.run_folder import CONFIG, read_config
from memreason.terminal import show

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from rich.console import Console


class Reasoner:
    """A loaded checkpoint that answers questions with traces."""

    def __init__(self, unit: ModelUnit, use_calculator: bool = False):
        self.unit = unit
        self.use_calculator = use_calculator

    @overload
    def answer(self, question: str, options: Sequence[str] = (), batch_size: int = 64) -> Trace: ...  # type: ignore[overload-overlap]
    @overload
    def answer(
        self, question: Sequence[str | Question], options: Sequence[str] = (), batch_size: int = 64
    ) -> list[Trace]: ...
    def answer(
        self, question: str | Sequence[str | Question], options: Sequence[str] = (), batch_size: int = 64
    ) -> Trace | list[Trace]:
        """Answer one question, or a batch of them, greedily.

        ``options`` makes one question multiple choice; in a batch, give `Question` records with
        options of their own. A trace has `.steps` (each with `.type` and `.text`), `.answer` (as
        written on the answer line, or None) and `.well_formed`.
        """
        if isinstance(question, str):
            return generate(self.unit, [_question(question, options)], use_calculator=self.use_calculator)[0]
        questions = [_question(one) for one in question]
        return generate(self.unit, questions, batch_size, use_calculator=self.use_calculator)

    def stream(self, question: str, options: Sequence[str] = ()) -> Iterator[str]:
        """The answer's text, planning tokens included, piece by piece as it is generated."""
        return stream(self.unit, _question(question, options), self.use_calculator)


def load(path: str | Path, base: str | None = None, dtype: str | None = None, device: str = "auto") -> Reasoner:
    """Load a checkpoint (a run folder, or one of its `checkpoint-…` folders).

    It uses the calculator where it was trained to be evaluated with it (`--use_calculator`).
    ``base`` overrides where the base model is found, ``dtype`` the data type of the weights; ``device``
    is as `choose_device` takes it.
    Raises UserError where ``path`` is no checkpoint or its base model cannot be had.
    """
    unit = model.load(Path(path), base, dtype, device=choose_device(device))
    config = read_config(Path(path)) if (Path(path) / CONFIG).is_file() else {}
    if config.get("use_demonstrations"):
        logger.warning(f"{path} was trained with solved examples before each question, and is asked without them here")
    return Reasoner(unit, bool(config.get("use_calculator")))


def print_stream(console: Console, reasoner: Reasoner, question: str, options: Sequence[str] = ()) -> None:
    """Print an answer line by line as it is written, each with its step type in colour."""
    text, layout = "", reasoner.unit.layout
    if layout.placement not in (EACH_STEP, FRONT):  # a plan is read together with the lines after it
        _print_line(console, layout, "".join(reasoner.stream(question, options)))
        return
    for piece in reasoner.stream(question, options):
        *lines, text = (text + piece).split("\n")
        for line in lines:
            _print_line(console, reasoner.unit.layout, line)
    _print_line(console, reasoner.unit.layout, text)


def _print_line(console: Console, layout: PlanningTokens, line: str) -> None:
    steps, answer = layout.read(line)
    colours = {MEMORY: "cyan", REASON: "magenta"}
    for step in steps:
        show(console, f"{step.type:>8}  ", style=colours.get(step.type, "blue"), end="")
        show(console, step.text)
    if answer:
        show(console, "  answer  ", style="bold", end="")
        show(console, answer, style="bold")


def _question(question: str | Question, options: Sequence[str] = ()) -> Question:
    if isinstance(question, Question):
        return question
    return Question("asked", one_line(question), "", tuple(options))
