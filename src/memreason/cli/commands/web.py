"""`memreason web`: a page to ask a checkpoint, to change its steps, and to look at runs."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.runtime.terminal import show

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
    quiet_transformers()
    from memreason.serving.server import serve

    console = open_console()

    def ready(address: str) -> None:
        show(console, f"open {address}", soft_wrap=True)  # so that it can be copied
        if config.host in ANY_ADDRESS:
            show(console, "on another machine: with the name of this one instead of 127.0.0.1")
        show(console, "Ctrl-C ends it after the answers under way; a second one ends it at once")

    return serve(config, ready)


COMMAND = Command(
    "web",
    "ask a checkpoint in the browser, change its steps, and look at runs",
    EXAMPLES,
    run,
    ("[RUN …]", "runs"),
)
