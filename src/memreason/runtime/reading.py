"""One place that turns every error of reading a file into a UserError: what is wrong, where, and what to do.

Files come from other people, may be cut off, and are changed by hand. On such files libraries raise all kinds of
errors, from KeyError to a panic of Rust code.
"""

from __future__ import annotations

import errno
import functools
import json
import reprlib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from memreason.errors import UserError

_LONGEST = 400
"""Most characters that are quoted of a library's own message."""
_NOT_THE_FILES = ("OutOfMemoryError", "DistBackendError")
"""Errors of torch that a file does not cause."""
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


@contextmanager
def reading(what: str, remedy: str) -> Iterator[None]:
    """Turn any exception raised inside into UserError "``what``: reason; ``remedy``".

    ``what`` names the file and what was expected of it. Errors that a file does not cause (no memory, a full disk)
    and UserErrors pass unchanged.
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
        if type(error).__name__ != "PanicException":  # libraries in Rust raise it; it is not an Exception
            raise
        raise UserError(f"{what}: {reason(error)}; {remedy}") from error


def reason(error: BaseException) -> str:
    """What went wrong, in one line of at most about `_LONGEST` characters."""
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
    """The JSON object in ``path``. Call it inside `reading`: it raises any error that reading JSON can raise."""
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise TypeError("it holds no JSON object")
    return value


_hints = functools.cache(typing.get_type_hints)
"""The types of a class's fields; files have a row of the same class on each line."""


def check_fields(kind: type, values: Mapping[str, Any]) -> None:
    """Raise TypeError where a value in ``values`` is not of the type that the dataclass ``kind`` declares for it."""
    for name, hint in _hints(kind).items():
        if name in values and not fits(values[name], hint):
            raise TypeError(f"{name} is {shown(values[name])}, which is no {_named(hint)}")


def known_fields(kind: type, row: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the row that are fields of the dataclass ``kind``. Raises KeyError for a required field that is
    missing, TypeError for a value of the wrong type."""
    if missing := [f.name for f in fields(kind) if f.default is MISSING and f.name not in row]:
        raise KeyError(missing[0])
    check_fields(kind, row)
    return {field.name: row[field.name] for field in fields(kind) if field.name in row}


def fits(value: Any, hint: Any) -> bool:
    """Whether ``value``, from JSON or YAML, is of the type ``hint``. A list counts as a tuple, an int as a float."""
    return _test(hint)(value)


@functools.cache
def _test(hint: Any) -> Callable[[Any], bool]:
    """`fits` for one type, which is taken apart once and not for each of the millions of values in a file."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or origin is typing.ClassVar:
        return lambda value: True
    if origin in (typing.Union, types.UnionType):
        choices = [_test(choice) for choice in inner]
        return lambda value: any(choice(value) for choice in choices)
    if origin is typing.Literal:
        return lambda value: value in inner
    if origin in (list, tuple):
        item = _test(inner[0])
        return lambda value: isinstance(value, list | tuple) and all(map(item, value))
    if origin is dict:
        key, content = map(_test, inner)
        return lambda value: isinstance(value, dict) and all(key(k) and content(v) for k, v in value.items())
    if hint in (None, type(None)):
        return lambda value: value is None
    if hint in (int, float):
        return lambda value: isinstance(value, int | hint) and not isinstance(value, bool)
    return lambda value: isinstance(value, hint)


def _named(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def shown(value: object) -> str:
    """``value`` as messages quote it: its repr, cut to about 200 characters."""
    try:
        text = _SHORT.repr(value)
    except Exception:  # an integer with too many digits for Python to write out
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:200]}…"
