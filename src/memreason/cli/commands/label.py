"""`memreason label`: solutions of typed steps for questions, by two LLM agents."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.cli.commands import label_convert, label_inspect
from memreason.llm.base import Stopped
from memreason.runtime.terminal import say

SUMMARY = "write memory/reason solutions for questions, by two LLM agents; `label inspect`, `label convert`"
EXAMPLES = """examples:
  memreason label --task atlas --planner scripted --output runs/try.jsonl         # no model, no cost
  memreason label --task strategyqa --planner gpt-4o-mini --output strategyqa.jsonl --dry_run
  memreason label --task strategyqa --planner gpt-4o-mini --output strategyqa.jsonl --max_cost 5
  memreason label --input mine.jsonl --planner local:smollm2 --output mine.labelled.jsonl
  memreason label inspect strategyqa.jsonl --reader gpt-4o-mini
  memreason label convert strategyqa.jsonl strategyqa.json     # the paper's form; and back
  memreason train --dataset jsonl --data_path strategyqa.jsonl

The same command goes on where it stopped: after a kill, a budget stop, a full disk. Every reply is
kept in a cache, and paid for once. Keys come from the environment (OPENAI_API_KEY), never from flags.
Exit code 3: stopped by the budget, or because the endpoint is down; what is done is on disk.
"""


def run(argv: Sequence[str]) -> int:
    """Label, or do what follows upon it: `label inspect`, `label convert`."""
    following = {"inspect": label_inspect.run, "convert": label_convert.run}
    try:
        if argv and argv[0] in following:
            following[argv[0]](argv[1:])
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

    run_label(config, open_console())


COMMAND = Command("label", SUMMARY, EXAMPLES, run, after_interrupt="; the same command goes on from here")
