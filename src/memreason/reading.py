"""Reading files that other people wrote: whatever is wrong with one ends in a UserError with its place and a remedy."""

from __future__ import annotations

import gzip
import json
import reprlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import yaml

from memreason.errors import UserError

DEEPEST = 100
"""Lists and objects within one another; what is nested deeper cannot be written or compared again everywhere."""
LONGEST = 1 << 28
"""Characters of a line or document: a compressed file of a few megabytes can hold gigabytes."""
LONGEST_YAML = 100_000
"""Characters; recipes have some thousand, and reading takes seconds a megabyte."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def shown(value: object) -> str:
    """A value as a message quotes it: short, whatever it holds."""
    try:
        return _SHORT.repr(value)
    except Exception:  # an integer that Python will not spell
        return f"a value of type {type(value).__name__}"


def listed(names: Any, most: int = 12) -> str:
    """The first names of many, each short."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(str(name)[:40] for name in names[:most]) + more


@contextmanager
def reading(place: object, remedy: str) -> Iterator[None]:
    """Turn whatever a reader raises about ``place`` (a file, file:line) into a UserError that ends in ``remedy``."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{place}: {_said(error)}; {remedy}") from error


def _said(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON ({error})"
    if isinstance(error, yaml.YAMLError):
        return f"not valid YAML: {error}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text ({error})"
    if isinstance(error, RecursionError):
        return "lists or objects are nested too deep in it"
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    if isinstance(error, KeyError):
        return f"field {shown(error.args[0] if error.args else '')} is missing"
    if isinstance(error, OSError | EOFError):
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    if isinstance(error, ValueError) and "limit" in str(error) and "digits" in str(error):
        return "a number in it has thousands of digits"
    return str(error).partition("\n")[0] or type(error).__name__


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) of each line, blank ones too.

    The file is UTF-8, with or without a byte order mark, and compressed where its name ends in .gz.
    """
    number = 0
    # What is no UTF-8 is escaped, so that the line is known in which it stands.
    with reading(path, "give a whole UTF-8 file"), _open(path, errors="surrogateescape") as file:
        while line := file.readline(LONGEST + 1):
            number += 1
            if len(line) > LONGEST:
                raise ValueError(f"line {number} has more than {LONGEST} characters")
            if has_half_characters(line):
                raise ValueError(f"not UTF-8 text (line {number})")
            yield number, line


def read_text(path: Path) -> str:
    """The whole of such a file."""
    lines, length = [], 0
    for _, line in read_lines(path):
        lines.append(line)
        length += len(line)
        if length > LONGEST:
            raise UserError(f"{path}: more than {LONGEST} characters in one document; give one object a line (.jsonl)")
    return "".join(lines)


def _open(path: Path, errors: str) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors=errors)
    return open(path, encoding="utf-8-sig", errors=errors)


def has_half_characters(text: str) -> bool:
    """Whether half of a surrogate pair is in it, as JSON's \\ud83d alone: no UTF-8 file can hold that."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def parse_json(text: str, place: object, remedy: str) -> Any:
    """The one value that ``text`` holds. NaN and Infinity are numbers here; whoever uses one must look at it.

    Raises UserError for what is not JSON, a key that stands twice, numbers of thousands of digits, and nesting
    beyond `DEEPEST`.
    """
    with reading(place, remedy):
        value = json.loads(text, object_pairs_hook=_object)
        if text.count("[") + text.count("{") > DEEPEST and _is_deep(value):
            raise RecursionError
        return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {shown(name)} stands twice in one object")
    return found


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        inner = [outer.values() if isinstance(outer, dict) else outer for outer in level]
        level = [value for values in inner for value in values if isinstance(value, list | dict)]
        if not level:
            return False
    return True


class _Loader(yaml.SafeLoader):
    """Plain YAML: no key twice, and no aliases, with which a few lines can hold more than a memory."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias (*name) in line {self.peek_event().start_mark.line + 1}; write the value")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in names:
                raise yaml.YAMLError(f"{shown(key.value)} stands twice, again in line {key.start_mark.line + 1}")
            names.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, place: object, remedy: str) -> Any:
    """The one document of a YAML file; ``place`` is what messages call it (`--config PATH`, say)."""
    with reading(place, remedy), open(path, encoding="utf-8-sig") as file:
        text = file.read(LONGEST_YAML + 1)
        if len(text) > LONGEST_YAML:
            raise ValueError(f"longer than {LONGEST_YAML} characters")
        return yaml.load(text, _Loader)
