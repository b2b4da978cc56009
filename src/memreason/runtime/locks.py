"""One writer at a time: a lock that is released when its process ends, in whatever way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from memreason.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: there a second writer is not noticed
    fcntl = None  # type: ignore[assignment]


def lock(handle: int, what: str) -> None:
    """Lock the open file or folder ``handle`` until it is closed; UserError where another process holds the lock."""
    if try_lock(handle) is False:
        raise UserError(f"{what}: another process is writing to it; wait for it, or name another place") from None


def try_lock(handle: int) -> bool | None:
    """Lock the open file or folder ``handle`` until it is closed, and say whether that worked; None where there are no
    locks. A process that inherits ``handle`` holds the lock as well, until it ends."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


@contextmanager
def locked_folder(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of ``folder`` inside this context; messages call the folder ``what``.

    A missing folder is made first, and removed at the end if it is still empty.
    Raises UserError where another process holds the lock, or where the folder cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{what} is a file; give a folder")
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = None if fcntl is None else os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"{what}: cannot be written to ({error.strerror}); give another folder") from error
    try:
        if handle is not None:
            lock(handle, what)
        try:
            yield
        finally:
            with suppress(OSError):  # the folder is not empty
                if new:
                    folder.rmdir()
    finally:
        if handle is not None:
            os.close(handle)
