"""`memreason serve`: a checkpoint behind an OpenAI-compatible HTTP API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.runtime.terminal import show

if TYPE_CHECKING:
    from memreason.serving.config import ServeConfig

EXAMPLES = """examples:
  memreason serve runs/demo                                # http://127.0.0.1:8000/v1
  memreason serve runs/demo --port 9000 --served_model_name geography
  MEMREASON_API_KEY=… memreason serve runs/demo --host 0.0.0.0
"""


def run(argv: Sequence[str]) -> int:
    """Serve until a signal comes."""
    from memreason.serving.config import ServeConfig

    (config,) = COMMAND.parse((ServeConfig,), argv)
    return serve_until_signal(config, lambda address: (f"{config.model_name_or_path} answers at {address}",))


def serve_until_signal(config: ServeConfig, lines: Callable[[str], Iterable[str]]) -> int:
    """Serve, and show the ``lines`` that belong to its address as soon as it listens. Returns the exit code."""
    if config.model_name_or_path:
        quiet_transformers()
    from memreason.serving.run import serve

    console = open_console()

    def ready(address: str) -> None:
        for line in (*lines(address), "Ctrl-C ends it after the answers under way; a second one ends it at once"):
            show(console, line, soft_wrap=True)  # so that addresses can be copied

    return serve(config, ready)


COMMAND = Command(
    "serve",
    "answer questions over HTTP, as OpenAI's API does",
    EXAMPLES,
    run,
    ("[CHECKPOINT]", "model_name_or_path"),
)
