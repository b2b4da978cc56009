"""The parts of a command: its name, its help, and the function that runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memreason.runtime import distributed

if TYPE_CHECKING:
    from rich.console import Console

    from memreason.cli.parser import Parser


@dataclass(frozen=True)
class Command:
    """One command, `memreason NAME`."""

    name: str
    summary: str
    """What the command is for, in one line: shown in the list of commands, and first in the command's own help."""
    examples: str
    """Shown below the summary in `memreason NAME --help`."""
    run: Callable[[Sequence[str]], int | None]
    """Takes the arguments after the name; returns the exit code, or None for 0."""
    positional: tuple[str, str] = ("", "")
    """(text in the usage line, name of the option), for a command that takes one option's value without its flag."""
    shared: bool = False
    """Whether several processes, started by a launcher, can run it together."""
    after_interrupt: str = ""
    """What the user can do after an interrupt; printed after the word "interrupted"."""

    def parser(self, types: tuple[type, ...], others: frozenset[str] = frozenset()) -> Parser:
        """The parser of its options, which are the fields of ``types``; it ignores the options named in ``others``."""
        from memreason.cli.parser import Parser

        return Parser(types, self.name, f"{self.summary}\n\n{self.examples}", self.positional, others)

    def parse(self, types: tuple[type, ...], argv: Sequence[str]) -> tuple[Any, ...]:
        """One object of each of ``types``. Raises UserError as `Parser.parse` does."""
        return self.parser(types).parse(argv)


def with_checkpoint(argv: Sequence[str]) -> list[str]:
    """The arguments, with the flag for the checkpoint where they begin with it: with a folder, or with two words, of
    which a question in quotes is the second."""
    words = list(takewhile(lambda word: not word.startswith("-"), argv))
    if len(words) == 2 or (words and Path(words[0]).is_dir()):
        return [*argv[1:], "--model_name_or_path", argv[0]]
    return list(argv)


def open_console() -> Console:
    """The console for results; if there are several processes, only the main one prints."""
    from rich.console import Console

    return Console(quiet=not distributed.is_main())


def quiet_transformers() -> None:
    """Switch off transformers' progress bar for loading weights, and the warnings that would stand between results."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
