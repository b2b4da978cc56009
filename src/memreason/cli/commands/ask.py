"""`memreason ask`: asks a checkpoint one question, and prints each line of the answer as soon as it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.errors import UserError
from memreason.planning_tokens.layout import EACH_STEP, FRONT, PlanningTokens
from memreason.records import MEMORY, REASON, Trace
from memreason.runtime.terminal import show, show_json

if TYPE_CHECKING:
    from memreason.reasoner import Reasoner

FIRST_QUESTION = "Is Sydney the capital of Australia?"
"""About a country in the demo's training questions, whose capital is another city; the demo answers it correctly."""
UNSEEN_QUESTION = "Kenya uses the rupee. Is this true?"
"""About a country that is in no training question of the demo: the model can reason about it, but learnt no facts."""

EXAMPLES = f"""examples:
  memreason ask "{FIRST_QUESTION}"              # asks the checkpoint in runs/demo
  memreason ask "{UNSEEN_QUESTION}"              # a country that the demo never saw: see what it recalls
  memreason ask "{FIRST_QUESTION}" --model_name_or_path runs/demo
  memreason ask "Which city is the capital of Japan?" --options Seoul Tokyo Beijing Osaka
"""


def run(argv: Sequence[str]) -> None:
    """Ask, and print the answer."""
    from memreason.config.commands import AskConfig

    (config,) = COMMAND.parse((AskConfig,), argv)
    question = config.question
    if not question.strip():
        raise UserError(f'the question is missing: memreason ask "{FIRST_QUESTION}"')
    quiet_transformers()
    from memreason.reasoner import load

    reasoner = load(config.model_name_or_path, base=config.base_model_name_or_path, device=config.device)
    if config.json:
        print_json(reasoner.answer(question, config.options))
    else:
        print_stream(open_console(), reasoner, question, config.options)


def print_json(trace: Trace) -> None:
    """Print a trace as one JSON object."""
    steps = [{"type": step.type, "text": step.text} for step in trace.steps]
    show_json({"steps": steps, "answer": trace.answer, "well_formed": trace.well_formed})


def print_stream(console: Console, reasoner: Reasoner, question: str, options: Sequence[str] = ()) -> None:
    """Print an answer line by line as it is written, each with its step type in colour."""
    layout, pieces = reasoner.unit.layout, reasoner.stream(question, options)
    if layout.placement not in (EACH_STEP, FRONT):  # a plan is read together with the lines after it
        _print_line(console, layout, "".join(pieces))
        return
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        for line in lines:
            _print_line(console, layout, line)
    _print_line(console, layout, rest)


def _print_line(console: Console, layout: PlanningTokens, line: str) -> None:
    steps, answer = layout.read(line)
    colours = {MEMORY: "cyan", REASON: "magenta"}
    for step in steps:
        show(console, f"{step.type:>8}  ", style=colours.get(step.type, "blue"), end="")
        show(console, step.text)
    if answer:
        show(console, "  answer  ", style="bold", end="")
        show(console, answer, style="bold")


COMMAND = Command("ask", "ask a checkpoint one question", EXAMPLES, run, ('"QUESTION"', "question"))
