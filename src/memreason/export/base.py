"""What all exports share: what they return, and a folder that is written whole or not at all. Needs no torch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.models.manifest import Manifest
from memreason.runtime.files import write_json

MARKER = "memreason_export.json"
"""The file by which an export is recognised. It says what was written (`to`), by which version, and what was verified.
"""


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    ``files`` are the names of the files in ``folder``. ``checks`` says what was verified, with figures. ``notes`` are
    what the user should know, one sentence each.
    """

    folder: Path
    files: tuple[str, ...]
    checks: dict[str, Any]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return asdict(self) | {"folder": str(self.folder)}


def check_output(folder: Path, overwrite: bool) -> None:
    """Raise UserError where ``folder`` cannot be written: it is a file, or holds something.

    With ``overwrite``, a folder that an earlier export wrote is allowed.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output_dir {folder}: this is a file; name a folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise UserError(f"--output_dir {folder} is not empty; name another folder, or say --overwrite_output_dir")
    if not (folder / MARKER).is_file():
        raise UserError(
            f"--output_dir {folder}: no {MARKER} in it, so no export wrote it, and it is not overwritten; "
            "name another folder"
        )


def check_dense(checkpoint: Path, manifest: Manifest) -> None:
    """Raise UserError for a checkpoint with sparse attention."""
    if manifest.sparse_attention:
        raise UserError(
            f"{checkpoint}: trained with --use_sparse_attention, which other programs do not have: with their dense "
            "attention it would be another model; use it with `memreason ask` and `memreason evaluate`"
        )


@contextmanager
def new_folder(folder: Path, overwrite: bool = False) -> Iterator[Path]:
    """Inside this context: a temporary folder beside ``folder``; it becomes ``folder`` at the end.

    On any error the temporary folder is removed, and ``folder`` is as it was. Raises UserError as `check_output` does.
    """
    check_output(folder, overwrite)
    folder = folder.resolve()  # else a link would be replaced, and not the folder that it leads to
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.parent / f".{folder.name}.{os.urandom(6).hex()}"
    replaced = beside.with_name(f"{beside.name}.old")
    beside.mkdir()
    try:
        yield beside
        check_output(folder, overwrite)  # another process may have written it meanwhile
        if folder.exists():
            folder.rename(replaced)
        beside.rename(folder)
        shutil.rmtree(replaced, ignore_errors=True)
    except BaseException:
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        shutil.rmtree(beside, ignore_errors=True)
        raise


def write_marker(folder: Path, to: str, checks: dict[str, Any]) -> None:
    """Write the file `MARKER` into ``folder``."""
    write_json(folder / MARKER, {"to": to, "memreason": version("memreason"), "checks": checks})


def files_in(folder: Path) -> tuple[str, ...]:
    """The names of all files in ``folder``, those of inner folders with their path."""
    return tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
