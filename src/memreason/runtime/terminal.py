"""The one way to the terminal: no text, whoever wrote it, moves the cursor, is read as markup or cannot be encoded.

Texts come from models, data, endpoints, files' names and other people's programs. All of them are printed by `show`,
`say` or `show_json`, which put `plain` in between; what is logged and what a crash says goes through it too (`guard`).
"""

from __future__ import annotations

import codecs
import contextlib
import json
import logging
import sys
import traceback
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from memreason.errors import plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.measure import Measurement
    from rich.segment import Segment

_IN_ASCII = str.maketrans({
    "✓": "+", "✗": "x", "○": "o", "–": "-", "—": "-", "−": "-", "…": "...", "→": "->", "×": "x", "≤": "<=", "≥": ">=",
    "·": ".", "’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " ", "\ufffd": "?",
})  # fmt: skip
_ERRORS = "memreason"


def show(console: Console, what: RenderableType = "", style: str = "", end: str = "\n", **layout: Any) -> None:
    """Print ``what`` on ``console``, as it is: strings are never read as markup, not in cells of tables either.

    ``layout`` is what else `Console.print` takes. To style a part, give rich's `Text`.
    """
    from rich.text import Text

    if isinstance(what, str):
        what = Text(what)
    if isinstance(what, Text):
        what = what.copy()
        what.plain = plain(what.plain)
        console.print(what, style=style or None, end=end, highlight=False, **layout)
    else:
        console.print(_Plain(what), style=style or None, highlight=False, **layout)


class _Plain:
    """A table, say, of which only plain characters are left once it is laid out."""

    def __init__(self, content: RenderableType):
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment

        for text, style, control in console.render(self._content, options.update(markup=False, highlight=False)):
            yield Segment(text if control else plain(text), style, control)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        return Measurement.get(console, options.update(markup=False, highlight=False), self._content)


def say(message: object, file: TextIO | None = None) -> None:
    """Print a line on stderr, or on ``file``."""
    print(plain(message), file=file or sys.stderr, flush=True)


def show_json(value: Any) -> None:
    """Print ``value`` on stdout as one line of JSON; characters that are not plain, or not to be encoded, escaped."""
    encoding = sys.stdout.encoding or "utf-8"

    def shown(character: str) -> str:
        with contextlib.suppress(UnicodeEncodeError):
            if character == plain(character) and character.encode(encoding):
                return character
        return json.dumps(character)[1:-1]

    print("".join(map(shown, json.dumps(value, ensure_ascii=False))))


class _Record(logging.LogRecord):
    """What is logged, also by libraries about a model's files, as plain text."""

    def getMessage(self) -> str:
        return plain(super().getMessage())


def _crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    say("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """For the codecs' registry: signs of ours by others that ASCII has, all else by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end].translate(_IN_ASCII)
    return "".join(c if c.isascii() else c.encode("ascii", "backslashreplace").decode() for c in part), error.end


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """For a command's time: plain log messages and tracebacks, and no crash where a terminal's encoding lacks a
    character."""
    codecs.register_error(_ERRORS, _replaced)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # not a text stream of a file, in tests say
            stream.reconfigure(errors=_ERRORS)  # type: ignore[union-attr]
    factory, format_warning = logging.getLogRecordFactory(), warnings.formatwarning
    logging.setLogRecordFactory(_Record)
    warnings.formatwarning = lambda *args, **kwargs: plain(format_warning(*args, **kwargs))
    sys.excepthook = _crash
    try:
        yield
    finally:
        logging.setLogRecordFactory(factory)
        warnings.formatwarning = format_warning
