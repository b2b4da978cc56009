"""`memreason label`: two LLM agents write solutions of typed steps for questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.cli.commands import label_convert, label_inspect
from memreason.llm.base import Message, Stopped
from memreason.runtime.terminal import say, show

if TYPE_CHECKING:
    from memreason.label.estimate import Estimate
    from memreason.label.run import LabelResult

SUMMARY = "let two LLM agents write memory/reason solutions; then `label inspect`, `label convert`"
EXAMPLES = """examples:
  memreason label --task atlas --planner scripted --output runs/try.jsonl         # no model, no cost
  memreason label --task strategyqa --planner gpt-4o-mini --output strategyqa.jsonl --dry_run
  memreason label --task strategyqa --planner gpt-4o-mini --output strategyqa.jsonl --max_cost 5
  memreason label --input mine.jsonl --planner local:smollm2 --output mine.labelled.jsonl
  memreason label inspect strategyqa.jsonl --reader gpt-4o-mini
  memreason label convert strategyqa.jsonl strategyqa.json     # the paper's form; and back
  memreason train --dataset jsonl --data_path strategyqa.jsonl

After a kill, a full disk, or a stop because the budget is used up, the same command goes on where it
stopped. Every reply is kept in a cache, so it is paid for only once. Keys come from the environment
(OPENAI_API_KEY), never from flags. Exit code 3: the budget is used up, or the endpoint is down; all results
so far are on disk.
"""


def run(argv: Sequence[str]) -> int:
    """Run `label`, `label inspect` or `label convert`."""
    subcommands = {"inspect": label_inspect.run, "convert": label_convert.run}
    try:
        if argv and argv[0] in subcommands:
            subcommands[argv[0]](argv[1:])
        else:
            _label_questions(argv)
    except Stopped as stop:
        say(f"memreason label: stopped: {stop}{COMMAND.after_interrupt}")
        return 3
    return 0


def _label_questions(argv: Sequence[str]) -> None:
    from memreason.label.config import LabelConfig

    (config,) = COMMAND.parse((LabelConfig,), argv)
    quiet_transformers()
    from memreason.label.run import run as run_label

    console = open_console()
    result = run_label(config, console, on_estimate=lambda estimate: print_estimate(console, estimate))
    if result.first_prompt is not None:
        print_first_prompt(console, result.first_prompt)
    elif result.estimate.questions:
        print_summary(console, result)


def print_estimate(console: Console, estimate: Estimate) -> None:
    """Print how much is left to do, and a table of the calls, tokens and dollars that it will need."""
    if estimate.done:
        show(console, f"{estimate.done} questions are done already; {estimate.questions} to go")
    if not estimate.questions:
        return
    table = Table(box=None, padding=(0, 2), title="estimate", title_justify="left")
    for heading in ("agent", "model", "calls", "tokens read", "tokens written", "cost"):
        table.add_column(heading, justify="left" if heading in ("agent", "model") else "right", overflow="fold")
    for row in estimate.rows:
        cost = "not known" if row.cost is None else f"${row.cost:,.2f}"
        table.add_row(
            row.role,
            Text(row.model),
            f"{row.calls:,}",
            f"{row.prompt_tokens:,}",
            f"{row.completion_tokens:,}",
            cost,
        )
    show(console, table)
    guessed = [row.role for row in estimate.rows if not row.measured]
    basis = "four bytes a token; replies as usual for such prompts" if guessed else "means of earlier replies"
    show(console, f"without retries and repairs; from {basis}", style="dim")
    if estimate.max_cost is not None and estimate.cost is not None and estimate.cost > estimate.max_cost:
        show(console, f"--max_cost {estimate.max_cost:g} will stop this run before its end", style="yellow")


def print_first_prompt(console: Console, messages: Sequence[Message]) -> None:
    """Print the messages of the first request, which a dry run does not send."""
    for message in messages:
        show(console, Text(message["role"], style="bold"))
        show(console, Text(message["content"]))
    show(console, "nothing was sent", style="dim")


def print_summary(console: Console, result: LabelResult) -> None:
    """Print how many questions were accepted or rejected, and why, and what the run cost."""
    from memreason.label.rejection_reasons import REASONS
    from memreason.label.solutions_and_rejects import rejects_path

    out, meter = result.files, result.meter
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


COMMAND = Command("label", SUMMARY, EXAMPLES, run, after_interrupt="; the same command goes on from here")
