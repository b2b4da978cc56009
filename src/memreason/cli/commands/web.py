"""`memreason web`: a page to ask a checkpoint, to change its steps, and to look at runs."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.command import Command
from memreason.cli.commands.serve import serve_until_signal

EXAMPLES = """The page is on the server of `memreason serve`, whose API stands beside it. It
takes nothing from other places.

examples:
  memreason web runs/demo                                  # http://127.0.0.1:8000/web
  memreason web runs/demo runs/plain --port 9000           # the first answers; both can be looked at
  memreason web runs/demo/evaluation scored/traces.jsonl   # no checkpoint: they can be looked at
  MEMREASON_API_KEY=… memreason web runs/demo --host 0.0.0.0
"""


def run(argv: Sequence[str]) -> int:
    """Serve the page until a signal comes."""
    from memreason.serving.config import ANY_ADDRESS, WebConfig

    (config,) = COMMAND.parse((WebConfig,), argv)
    elsewhere = ["on another machine: with the name of this one instead of 127.0.0.1"]
    return serve_until_signal(
        config, lambda address: [f"open {address}", *(elsewhere if config.host in ANY_ADDRESS else ())]
    )


COMMAND = Command(
    "web",
    "ask a checkpoint in the browser, change its steps, and look at runs",
    EXAMPLES,
    run,
    ("[RUN …]", "runs"),
)
