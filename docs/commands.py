"""Write docs/reference/commands.md, the help of every command: python docs/commands.py"""

import io
import os
from contextlib import redirect_stdout, suppress
from pathlib import Path
from unittest.mock import patch

from memreason.cli.main import main

PAGE = Path(__file__).with_name("reference") / "commands.md"
COMMANDS = (
    "tasks", "label", "label inspect", "label convert", "step-types fit", "step-types show", "train", "evaluate",
    "explain", "ask", "intervene", "attention", "web", "export", "serve", "score", "compare", "study",
    "benchmark",
)  # fmt: skip
INTRODUCTION = """# Commands

This page is what `memreason COMMAND --help` prints. `memreason train --help-all` also shows the rest of Hugging Face's
TrainingArguments.

Every command exits with 0 when all went well, with 2 for a mistake in what it was given (the message says what, where,
and what to do), and with 1 for everything else. `label` exits with 3 when its budget is spent or its endpoint is down.
"""


def help_of(command: str) -> str:
    """What ``memreason COMMAND --help`` prints on a page of 110 columns."""
    page = io.StringIO()
    with patch.dict(os.environ, COLUMNS="110"), redirect_stdout(page), suppress(SystemExit):
        main([*command.split(), "--help"])
    return page.getvalue().rstrip("\n")


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, f"```text\n{help_of('')}\n```\n"]
    parts += [f"## {command}\n\n```text\n{help_of(command)}\n```\n" for command in COMMANDS]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
