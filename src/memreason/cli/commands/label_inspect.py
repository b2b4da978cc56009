"""`memreason label inspect`: how good labelled solutions are."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.command import Command, open_console

EXAMPLES = """examples:
  memreason label inspect strategyqa.jsonl
  memreason label inspect strategyqa.jsonl --reader gpt-4o-mini     # are the steps enough to answer from?
"""


def run(argv: Sequence[str]) -> None:
    """Show figures, a sample, and what a reader makes of the steps."""
    from memreason.label.config import InspectConfig

    (config,) = COMMAND.parse((InspectConfig,), argv)
    from memreason.label.inspect import inspect

    inspect(config, open_console())


COMMAND = Command(
    "label inspect",
    "how good labelled solutions are: counts, lengths, a sample, and what a reader makes of them",
    EXAMPLES,
    run,
    ("FILE", "file"),
)
