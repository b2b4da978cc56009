"""`memreason ask`: asks a checkpoint one question, and prints each line of the answer as soon as it is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.console import Console

from memreason.cli.command import Command, open_console, quiet_transformers, with_checkpoint
from memreason.errors import UserError
from memreason.generation.decoding import GREEDY, Decoding
from memreason.planning_tokens.layout import EACH_STEP, FRONT, PlanningTokens
from memreason.records import MEMORY, REASON, Trace
from memreason.runtime.terminal import show, show_json

if TYPE_CHECKING:
    from memreason.reasoner import Reasoner

FIRST_QUESTION = "Is Sydney the capital of Australia?"
"""About a country in the demo's training questions, whose capital is another city; the demo answers it correctly."""
UNSEEN_QUESTION = "Kenya uses the rupee. Is this true?"
"""About a country that is in no training question of the demo: the model can reason about it, but learnt no facts."""

COLOURS = {MEMORY: "cyan", REASON: "magenta"}
NO_ANSWER = "  answer  none (it was cut off at the length limit, or ended without an answer line)"

EXAMPLES = f"""examples:
  memreason ask "{FIRST_QUESTION}"              # asks the checkpoint in runs/demo
  memreason ask "{UNSEEN_QUESTION}"              # a country that the demo never saw: see what it recalls
  memreason ask "{FIRST_QUESTION}" --model_name_or_path runs/demo
  memreason ask "{UNSEEN_QUESTION}" --logprobs   # how sure it was of each step
  memreason ask "{UNSEEN_QUESTION}" --n 5 --temperature 1
  memreason ask "Which city is the capital of Japan?" --options Seoul Tokyo Beijing Osaka
"""


def run(argv: Sequence[str]) -> None:
    """Ask, and print the answer."""
    from memreason.config.commands import AskConfig

    (config,) = COMMAND.parse((AskConfig,), with_checkpoint(argv))
    question = config.question
    if not question.strip():
        raise UserError(f'the question is missing: memreason ask "{FIRST_QUESTION}"')
    quiet_transformers()
    from memreason.reasoner import load

    decoding = Decoding(
        temperature=config.temperature, top_p=config.top_p, n=config.n, seed=config.seed, logprobs=config.logprobs,
        constrained=config.constrained,
    )  # fmt: skip
    reasoner = load(config.model_name_or_path, base=config.base_model_name_or_path, device=config.device)
    console = open_console()
    if not (config.json or config.logprobs or config.n > 1):
        print_stream(console, reasoner, question, config.options, decoding)
        return
    traces = reasoner.samples(question, config.options, decoding)
    if config.json:
        rows = [_row(trace) for trace in traces]
        show_json(rows[0] if config.n == 1 else rows)
        return
    for number, trace in enumerate(traces, 1):
        if config.n > 1:
            show(console, f"answer {number} of {config.n}", style="dim")
        print_trace(console, trace)


def _row(trace: Trace) -> dict[str, object]:
    steps = [{"type": step.type, "text": step.text} for step in trace.steps]
    row: dict[str, object] = {
        "steps": steps, "answer": trace.answer, "well_formed": trace.well_formed, "truncated": trace.truncated,
    }  # fmt: skip
    return row if trace.step_logprobs is None else {**row, "step_logprobs": trace.step_logprobs}


def print_trace(console: Console, trace: Trace) -> None:
    """Print an answer, each line with its step type in colour, and with the mean probability of its tokens if known."""
    lines = [(step.type, step.text) for step in trace.steps]
    lines += [("answer", trace.answer)] if trace.answer else []
    for (type_, text), logprob in zip_longest(lines, (trace.step_logprobs or ())[: len(lines)]):
        sure = "" if logprob is None else f"{math.exp(logprob):4.0%} "
        show(console, sure, style="dim", end="")
        _print_row(console, type_, text)
    if not trace.answer:
        show(console, NO_ANSWER, style="bold")


def print_stream(
    console: Console, reasoner: Reasoner, question: str, options: Sequence[str] = (), decoding: Decoding = GREEDY
) -> None:
    """Print an answer line by line as it is written, each with its step type in colour."""
    layout, pieces = reasoner.unit.layout, reasoner.stream(question, options, decoding)
    if layout.placement not in (EACH_STEP, FRONT):  # a plan is read together with the lines after it
        answered = _print_line(console, layout, "".join(pieces))
    else:
        rest, answered = "", False
        for piece in pieces:
            *lines, rest = (rest + piece).split("\n")
            for line in lines:
                answered |= _print_line(console, layout, line)
        answered |= _print_line(console, layout, rest)
    if not answered:
        show(console, NO_ANSWER, style="bold")


def _print_line(console: Console, layout: PlanningTokens, line: str) -> bool:
    """Print a line; whether it has the answer."""
    steps, answer = layout.read(line)
    for step in steps:
        _print_row(console, step.type, step.text)
    if answer:
        _print_row(console, "answer", answer)
    return bool(answer)


def _print_row(console: Console, type_: str, text: str) -> None:
    style = "bold" if type_ == "answer" else ""
    show(console, f"{type_:>8}  ", style=style or COLOURS.get(type_, "blue"), end="")
    show(console, text, style=style)


COMMAND = Command("ask", "ask a checkpoint one question", EXAMPLES, run, ('"QUESTION"', "question"))
