"""`memreason serve`: a checkpoint behind an OpenAI-compatible HTTP API."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.runtime.terminal import show

EXAMPLES = """examples:
  memreason serve runs/demo                                # http://127.0.0.1:8000/v1
  memreason serve runs/demo --port 9000 --served_model_name geography
  MEMREASON_API_KEY=… memreason serve runs/demo --host 0.0.0.0
"""


def run(argv: Sequence[str]) -> int:
    """Serve until a signal comes."""
    from memreason.serving.config import ServeConfig

    (config,) = COMMAND.parse((ServeConfig,), argv)
    quiet_transformers()
    from memreason.serving.server import serve

    console = open_console()

    def ready(address: str) -> None:
        show(console, f"{config.model_name_or_path} answers at {address}", soft_wrap=True)  # so that it can be copied
        show(console, "Ctrl-C ends it after the answers under way; a second one ends it at once")

    return serve(config, ready)


COMMAND = Command(
    "serve",
    "answer questions over HTTP, as OpenAI's API does",
    EXAMPLES,
    run,
    ("[CHECKPOINT]", "model_name_or_path"),
)
