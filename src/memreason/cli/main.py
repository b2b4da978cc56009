"""The entry point: finds the command, runs it, and turns errors into a message and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence

from memreason.cli.command import Command
from memreason.cli.commands import COMMANDS
from memreason.cli.commands.ask import FIRST_QUESTION
from memreason.errors import UserError, did_you_mean
from memreason.runtime import distributed
from memreason.runtime.interruptions import Ended, ended_by_signals, explain
from memreason.runtime.terminal import guard, say

HELP = f"""usage: memreason COMMAND [options]

Language models that separate recalling facts from reasoning about them: every step they
write is marked, by trained planning tokens, as `memory` or `reason`.

commands, in the order of the work:
{{commands}}

a first run, on two CPU cores:
  memreason train --config demo
  memreason ask "{FIRST_QUESTION}"

`memreason COMMAND --help` explains a command's options; `memreason train --help-all` shows those
of Hugging Face as well. Every option can also stand in a YAML file, named by --config FILE; an
option on the command line overrides it.
"""
_ENDED = "stopped, because another process of the run has ended, or the launcher was told to stop"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and return the exit code: 0 for success, 2 for the user's mistake, 1 for another error.

    A command may return other codes; an interrupted one returns 128 plus the number of the signal.
    """
    with guard(), ended_by_signals():
        return _main(argv)


def _main(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    if not arguments or arguments[0] in ("-h", "--help"):
        listed = "\n".join(f"  {command.name:<10} {command.summary}" for command in COMMANDS.values())
        say(HELP.format(commands=listed), sys.stdout)
        return 0
    name, rest = arguments[0], arguments[1:]
    if name == "--version":
        from importlib.metadata import version

        say(f"memreason {version('memreason')}", sys.stdout)
        return 0
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        distributed.say_once(f"memreason {name}: unknown command {name!r}{hint} (commands: {', '.join(COMMANDS)})")
        return 2
    return _run(COMMANDS[name], rest)


def _run(command: Command, argv: Sequence[str]) -> int:
    """Run the command and return its exit code; expected errors become one line, a bug keeps its traceback."""
    name, hint = f"memreason {command.name}", command.after_interrupt
    try:
        if distributed.launched():
            if not command.shared:
                raise UserError(f"is a job for one process; start it without a launcher: {name} …")
            distributed.say_when_ended(f"{name}: {_ENDED}{hint}")
        _show_log()
        # Fork-safety warnings of the tokenizers library are noise here: nothing forks after use.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # lets torch use huge pages for large tensors
        # This warning of transformers is for PEFT, not for the user.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        return command.run(argv) or 0
    except UserError as error:
        distributed.say_once(f"{name}: {error}")
        return 2
    except KeyboardInterrupt as error:
        what = f"stopped by {error}" if isinstance(error, Ended) else "interrupted"
        distributed.say_once(f"{name}: {what}{hint}")
        return 128 + (error.number if isinstance(error, Ended) else signal.SIGINT)
    except OSError as error:
        message, code = explain(error)
        distributed.say_once(f"{name}: {message}")
        return code
    except RuntimeError as error:
        if not distributed.lost_another(error):
            raise
        distributed.say_once(f"{name}: {_ENDED}{hint}", if_nothing_was_said=True)
        return 1


class _LogOnTerminal(logging.Handler):
    """Prints each logged message once: every epoch logs the same about a model."""

    def __init__(self) -> None:
        super().__init__()
        self.printed: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if (message := record.getMessage()) not in self.printed and distributed.is_main():
            self.printed.add(message)
            say(message)


def _show_log() -> None:
    """Show what modules log, for example which data type was chosen, or why this model cannot use a faster method."""
    logger = logging.getLogger("memreason")
    logger.setLevel(logging.INFO)
    logger.handlers = [handler for handler in logger.handlers if not isinstance(handler, _LogOnTerminal)] + [
        _LogOnTerminal()
    ]
