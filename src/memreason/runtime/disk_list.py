"""Lists of records that lie in a temporary file instead of in memory."""

from __future__ import annotations

import pickle
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, overload

Item = TypeVar("Item")


class DiskList(Sequence[Item]):
    """A list whose records lie in a temporary file: each takes 8 bytes of memory, however large it is.

    A record is read from the file each time it is used. The file is in the system's folder for temporary files
    (`TMPDIR`). It has no name there, so no other process can change what is unpickled from it, and it vanishes with
    this process. Slices and `chosen` are views of the same file. Use it from one thread at a time.
    Where the disk is full, raises OSError that names the folder: on writing, or on reading what was written last.
    """

    def __init__(self, items: Iterable[Item] = ()):
        self._file: _File[Item] = _File()
        self._places = array("q")
        for item in items:
            self.append(item)

    def append(self, item: Item) -> None:
        """Add a record to this view; other views of the file do not get it."""
        self._places.append(self._file.write(item))

    def chosen(self, indices: Iterable[int]) -> DiskList[Item]:
        """A view of the records at ``indices``, in that order."""
        view: DiskList[Item] = DiskList.__new__(DiskList)
        view._file, view._places = self._file, array("q", (self._places[i] for i in indices))
        return view

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> DiskList[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | DiskList[Item]:
        if isinstance(index, slice):
            return self.chosen(range(*index.indices(len(self))))
        return self._file.read(self._places[index])

    def __eq__(self, other: object) -> bool:
        """Whether another sequence, of any type, has equal records."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"DiskList of {len(self)}"


class _File(Generic[Item]):
    """A temporary file that records are appended to and read from; its buffer is in one of the two modes at a time."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="memreason-")  # noqa: SIM115 (it goes with this object)
        self._end = 0
        self._writing = True

    def write(self, item: Item) -> int:
        """Append ``item`` and return the byte at which it starts."""
        start = self._end
        with _naming_the_folder():
            if not self._writing:
                self._file.seek(self._end)
                self._writing = True
            self._end += self._file.write(pickle.dumps(item, pickle.HIGHEST_PROTOCOL))
        return start

    def read(self, start: int) -> Any:
        with _naming_the_folder():  # the last record may still be in the buffer, and is written to the disk first
            self._writing = False
            self._file.seek(start)
        return pickle.load(self._file)


@contextmanager
def _naming_the_folder() -> Iterator[None]:
    """Put the folder's name into an OSError: the file itself has no name."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error
