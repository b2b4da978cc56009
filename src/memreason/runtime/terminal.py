"""The one way to print on the terminal. Texts can neither move the cursor, nor act as markup, nor break the encoding.

Texts come from models, data, endpoints, file names and other people's programs. `show`, `say` and `show_json` print
them, and apply `errors.plain` first. Log messages and tracebacks go through `plain` too (`guard`).
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
    """Print ``what`` on ``console``; strings are never read as markup, not in cells of tables either.

    ``layout`` holds further arguments of `Console.print`. To style a part of a text, give rich's `Text`.
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
    """Something that rich lays out (a table, say), with `plain` applied to the characters of the layout."""

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
    """Print ``value`` on stdout as one line of JSON.

    Characters that `plain` would replace, and characters that the terminal's encoding lacks, are escaped.
    """
    encoding = sys.stdout.encoding or "utf-8"

    def shown(character: str) -> str:
        with contextlib.suppress(UnicodeEncodeError):
            if character == plain(character) and character.encode(encoding):
                return character
        return json.dumps(character)[1:-1]

    print("".join(map(shown, json.dumps(value, ensure_ascii=False))))


def in_words(seconds: float) -> str:
    """An estimated time: `40 s`, `6 min` or `2 h 05 min`."""
    if seconds < 90:
        return f"{max(10, 10 * round(seconds / 10))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


class _Record(logging.LogRecord):
    """A log record whose message is plain text; libraries, too, log about a model's files."""

    def getMessage(self) -> str:
        return plain(super().getMessage())


def _crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    say("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """Error handler for the codecs' registry: our signs become similar ones in ASCII, other characters their number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end].translate(_IN_ASCII)
    return "".join(c if c.isascii() else c.encode("ascii", "backslashreplace").decode() for c in part), error.end


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """Inside this context: log messages and tracebacks are plain, and printing a character that the terminal's encoding
    lacks does not crash.

    The handler for tracebacks, and the one for the encoding, stay in place afterwards.
    """
    codecs.register_error(_ERRORS, _replaced)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # the stream is not a file's text stream (in tests, say)
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
