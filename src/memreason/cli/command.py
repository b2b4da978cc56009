"""What a command of the command line is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memreason.runtime import distributed

if TYPE_CHECKING:
    from rich.console import Console

    from memreason.cli.parser import Parser


@dataclass(frozen=True)
class Command:
    """One `memreason NAME`: what it says of itself, and what it does."""

    name: str
    summary: str
    """What it is for, in one line: it stands in the list of commands, and begins the command's own help."""
    examples: str
    """Stands below the summary in `memreason NAME --help`."""
    run: Callable[[Sequence[str]], int | None]
    """Takes the arguments after the name; returns the exit code, or None for 0."""
    positional: tuple[str, str] = ("", "")
    """For a command that takes a word without a flag: how the usage line shows it, and the option that it is."""
    shared: bool = False
    """Whether several processes, started by a launcher, can do it together."""
    after_interrupt: str = ""
    """What to do when it was stopped before its end; follows "interrupted"."""

    def parser(self, types: tuple[type, ...], others: frozenset[str] = frozenset()) -> Parser:
        """The parser of its options, the fields of ``types``; options named in ``others`` it lets pass."""
        from memreason.cli.parser import Parser

        return Parser(types, self.name, f"{self.summary}\n\n{self.examples}", self.positional, others)

    def parse(self, types: tuple[type, ...], argv: Sequence[str]) -> tuple[Any, ...]:
        """One object of each of ``types``. Raises UserError as `Parser.parse` does."""
        return self.parser(types).parse(argv)


def open_console() -> Console:
    """Where results are printed; of several processes only the main one prints."""
    from rich.console import Console

    return Console(quiet=not distributed.is_main())


def quiet_transformers() -> None:
    """No bar for reading weights, which takes a moment, and no library's warnings among the answers."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
