"""One place that turns whatever a reader of files can raise into a UserError: what is wrong, where, and what to do.

Files are written by others, cut off, and changed by hand: libraries answer with anything from KeyError to a panic.
"""

from __future__ import annotations

import errno
import json
import reprlib
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memreason.errors import UserError

_LONGEST = 400
"""Of a library's own words so many characters are quoted."""
_NOT_THE_FILES = ("OutOfMemoryError", "DistBackendError")
"""torch's errors that say nothing about a file."""
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


@contextmanager
def reading(what: str, remedy: str) -> Iterator[None]:
    """Turn any exception raised inside into UserError "``what``: reason; ``remedy``".

    ``what`` names the file and what was expected of it. Errors that no file causes (no memory, a full disk) pass.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        if type(error).__name__ in _NOT_THE_FILES or getattr(error, "errno", None) in (errno.ENOSPC, errno.EMFILE):
            raise
        raise UserError(f"{what}: {reason(error)}; {remedy}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # which libraries in Rust raise past Exception
            raise
        raise UserError(f"{what}: {reason(error)}; {remedy}") from error


def reason(error: BaseException) -> str:
    """What went wrong, in a line."""
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 text (byte {error.start})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing" if error.args else "a part is missing"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]} …"


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; to be called inside of `reading`: it raises whatever reading JSON can."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise TypeError("it holds no JSON object")
    return found


def check_fields(kind: type, values: Mapping[str, Any]) -> None:
    """Raise TypeError where a field of the dataclass ``kind`` has in ``values`` another type than it declares."""
    for name, hint in typing.get_type_hints(kind).items():
        if name in values and not fits(values[name], hint):
            raise TypeError(f"{name} is {shown(values[name])}, which is no {_named(hint)}")


def fits(value: Any, hint: Any) -> bool:
    """Whether ``value``, as JSON or YAML gives it, is of the type ``hint``; a list does for a tuple."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or origin is typing.ClassVar:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if origin in (list, tuple):
        return isinstance(value, list | tuple) and all(fits(one, inner[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(k, inner[0]) and fits(v, inner[1]) for k, v in value.items())
    if hint in (None, type(None)):
        return value is None
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return isinstance(value, hint)


def _named(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def shown(value: object) -> str:
    """A value as a message quotes it: short, whatever it holds."""
    try:
        text = _SHORT.repr(value)
    except Exception:  # an integer that Python will not spell
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:200]}…"
