"""`memreason attention`: draws where a model looks while it writes an answer; prints what was found and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from memreason.cli.command import Command, open_console, quiet_transformers, with_checkpoint
from memreason.cli.commands.ask import FIRST_QUESTION, print_trace
from memreason.runtime.terminal import show, show_json

if TYPE_CHECKING:
    from memreason.explain.attention.run import Looked

EXAMPLES = f"""examples:
  memreason attention runs/demo "{FIRST_QUESTION}"      # pictures go to attention/
  memreason attention runs/demo "{FIRST_QUESTION}" --layer 12 --head 1
  memreason attention runs/demo --trace runs/demo/evaluation/traces.jsonl --id atlas-test_seen-capital-continent-000000
  memreason attention runs/demo "{FIRST_QUESTION}" --method grad_x_input
"""


def run(argv: Sequence[str]) -> None:
    """Look, and print what was found."""
    from memreason.explain.attention.config import AttentionConfig

    (config,) = COMMAND.parse((AttentionConfig,), with_checkpoint(argv))
    quiet_transformers()
    from memreason.explain.attention.run import look

    looked = look(config)
    if config.json:
        show_json(looked.attribution.to_json() | {"files": [str(file) for file in looked.files]})
    else:
        print_looked(open_console(), looked)


def print_looked(console: Console, looked: Looked) -> None:
    """Print the answer, the shares by kind of token, the heads that read memory most, and the files."""
    print_trace(console, looked.trace)
    found = looked.attribution
    readers = "the answer takes" if found.method == "grad_x_input" else "reason steps and the answer take"
    show(console, f"\nwhat {readers} ({found.method}), by kind of token:")
    widest = max(map(len, found.mass))
    for kind, share in found.mass.items():
        show(console, f"  {kind:<{widest}}  {share:6.1%}")
    if heads := found.heads():
        listed = ", ".join(f"layer {layer} head {head} ({mass:.0%})" for layer, head, mass in heads)
        show(console, f"\nheads that read memory tokens most: {listed}", soft_wrap=True)
    if looked.memory:
        show(
            console,
            f"memory beside a plain pass: at most {looked.memory.peak / 1e6:.1f} MB (computed); "
            f"all weights at once would be {looked.memory.all_weights / 1e6:.1f} MB",
            soft_wrap=True,
        )
    for file in looked.files:
        show(console, str(file), soft_wrap=True)


COMMAND = Command(
    "attention",
    "draw where a model looks while it answers: at its memories, its reasoning, the question",
    EXAMPLES,
    run,
    ('CHECKPOINT "QUESTION"', "question"),
)
