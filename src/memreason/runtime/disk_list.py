"""Sequences of records that lie in a temporary file instead of memory."""

from __future__ import annotations

import pickle
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, overload

Item = TypeVar("Item")


class OnDisk(Sequence[Item]):
    """Records that are read when they are asked for: 8 bytes of memory each, whatever they hold.

    The file lies where the system's temporary files do (`TMPDIR`), has no name there and goes with the process, so
    nobody else writes what is unpickled from it. Slices and `chosen` are views of it. One thread at a time.
    Where its disk is full, writing, or reading what was written last, raises OSError that names the folder.
    """

    def __init__(self, items: Iterable[Item] = ()):
        self._file: _File[Item] = _File()
        self._places = array("q")
        for item in items:
            self.append(item)

    def append(self, item: Item) -> None:
        """One record more, of this view alone."""
        self._places.append(self._file.write(item))

    def chosen(self, indices: Iterable[int]) -> OnDisk[Item]:
        """The records of these indices, in the order of the indices."""
        view: OnDisk[Item] = OnDisk.__new__(OnDisk)
        view._file, view._places = self._file, array("q", (self._places[i] for i in indices))
        return view

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> OnDisk[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | OnDisk[Item]:
        if isinstance(index, slice):
            return self.chosen(range(*index.indices(len(self))))
        return self._file.read(self._places[index])

    def __eq__(self, other: object) -> bool:
        """As lists compare, with any other sequence."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == theirs for one, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"OnDisk of {len(self)}"


class _File(Generic[Item]):
    """A file that only grows, whose buffer serves reading or writing until the other is wanted."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="memreason-")  # noqa: SIM115 (it goes with this object)
        self._end = 0
        self._writing = True

    def write(self, item: Item) -> int:
        """Returns where it starts."""
        start = self._end
        with _naming_the_folder():
            if not self._writing:
                self._file.seek(self._end)
                self._writing = True
            self._end += self._file.write(pickle.dumps(item, pickle.HIGHEST_PROTOCOL))
        return start

    def read(self, start: int) -> Any:
        with _naming_the_folder():  # what was written last may have to go to the disk first
            self._writing = False
            self._file.seek(start)
        return pickle.load(self._file)


@contextmanager
def _naming_the_folder() -> Iterator[None]:
    """An OSError here is about a file without a name; say where it lies."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error
