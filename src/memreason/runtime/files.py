"""Reading and writing text files: lines, JSON and JSONL, compressed or not; and lists of names for messages."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from memreason.errors import UserError
from memreason.runtime.reading import reading, shown

DEEPEST = 100
"""Most levels of lists and objects inside each other in JSON; deeper ones cannot be written or compared everywhere."""
LONGEST = 1 << 28
"""Most characters of a line or a document: a compressed file of a few megabytes can hold gigabytes."""


def listed(names: Iterable[object], most: int = 12) -> str:
    """The first ``most`` names, each cut to 40 characters, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(str(name)[:40] for name in names[:most]) + more


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) of each line, blank ones too.

    The file is UTF-8, with or without a byte order mark, and compressed if its name ends in .gz. Raises UserError where
    the file cannot be read, is not UTF-8, or has a line longer than `LONGEST`.
    """
    number = 0
    # Bytes that are not UTF-8 are escaped here, so that the error below can name their line.
    with reading(str(path), "give a whole UTF-8 file"), _open(path, errors="surrogateescape") as file:
        while line := file.readline(LONGEST + 1):
            number += 1
            if len(line) > LONGEST:
                raise ValueError(f"line {number} has more than {LONGEST} characters")
            if has_half_characters(line):
                raise ValueError(f"not UTF-8 text (line {number})")
            yield number, line


def read_text(path: Path) -> str:
    """The whole text of a file; it may be compressed, and errors are raised, as in `read_lines`."""
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
    """Whether ``text`` holds half of a surrogate pair (JSON's \\\\ud83d alone), which no UTF-8 file can hold."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def check_whole_characters(place: str, text: str) -> None:
    """Raise UserError where half of a surrogate pair is in ``text``."""
    if has_half_characters(text):
        raise UserError(f"{place}: half of a surrogate pair, which no UTF-8 file can hold; write the whole character")


def parse_json(text: str, place: object, remedy: str) -> Any:
    """The JSON value that ``text`` holds. NaN and Infinity are read as numbers, so callers must check numbers.

    Raises UserError for text that is not JSON, a key that stands twice in one object, numbers of thousands of digits,
    and nesting deeper than `DEEPEST`.
    """
    with reading(str(place), remedy):
        try:
            value = json.loads(text, object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            raise ValueError(f"not valid JSON ({error})") from error
        if text.count("[") + text.count("{") > DEEPEST and _is_deep(value):
            raise RecursionError
        return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {shown(name)} stands twice in one object")
    return fields


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        inner = [outer.values() if isinstance(outer, dict) else outer for outer in level]
        level = [value for values in inner for value in values if isinstance(value, list | dict)]
        if not level:
            return False
    return True


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each non-empty line.

    Raises UserError that names file:line where a line is not a JSON object.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        row = parse_json(line, f"{path}:{number}", "each line must be one JSON object")
        if not isinstance(row, dict):
            raise UserError(f"{path}:{number}: expected a JSON object, got {type(row).__name__}")
        yield number, row


@contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """Open a temporary file beside ``path`` and move it there only once it is whole and on disk.

    On any error (a full disk, say) the temporary file is removed and ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = create_beside(path)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def replace_file(path: Path, content: bytes) -> None:
    """Write ``content`` into a file beside ``path``, and move it there when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = create_beside(path)
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def create_beside(path: Path) -> tuple[int, Path]:
    """(handle, name) of a new file beside ``path``, to be moved there. It has all permissions that the umask allows."""
    name = path.parent / f".{path.name}.{os.urandom(6).hex()}"
    return os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666), name


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object per line, atomically."""
    with atomic_write(path) as file:
        for row in rows:
            file.write(json_line(row))


def json_line(row: Mapping[str, Any]) -> str:
    """``row`` as one line of JSONL, with the newline."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write one indented JSON document, atomically."""
    with atomic_write(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def read_json(path: Path, remedy: str = "restore the file, or take it away") -> dict[str, Any]:
    """The JSON object in ``path``. Raises UserError that names the file and ends with ``remedy``."""
    with reading(str(path), remedy):
        value = parse_json(path.read_text(encoding="utf-8"), path, remedy)
        if not isinstance(value, dict):
            raise ValueError(f"expected a JSON object, got {type(value).__name__}")
        return value
