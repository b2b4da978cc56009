"""The runs given on the command line: which lists of traces they hold, each read anew when its file changes."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION, TRACES
from memreason.models.manifest import MANIFEST
from memreason.serving.browse.explained import EXPLANATION, Explanation
from memreason.serving.browse.index import TraceIndex

Content = TypeVar("Content")
_OF_RUNS = (EVALUATION, "before", "epochs")
"""Folders inside a run that hold traces; their names alone do not say which run it is."""


@dataclass(frozen=True)
class Source:
    """One list of traces that can be browsed, and the explanation that belongs to it."""

    name: str
    """The name by which requests call it. It leads to a path only through the list of sources."""
    label: str
    """The same for people."""
    traces: Path
    explanation: Path | None = None
    command: str | None = None
    """The command that makes the explanation; None where there is no checkpoint to make one with."""


class Kept(Generic[Content]):
    """What ``read`` makes of a file; made anew when the file has changed. Can be used from several threads."""

    def __init__(self, path: Path, read: Callable[[Path], Content]):
        self._path, self._read = path, read
        self._lock = threading.Lock()
        self._stamp = ""
        self._content: Content | UserError | None = None

    def stamp(self) -> str:
        """A text that changes when the file does; empty where there is no file."""
        try:
            status = self._path.stat()
        except OSError:
            return ""
        return f"{status.st_mtime_ns:x}.{status.st_size:x}.{status.st_ino:x}"

    def get(self) -> Content:
        """The content, as the file is now. Raises UserError where the file is missing or cannot be used."""
        with self._lock:
            stamp = self.stamp()  # before reading: a change in the meantime is then seen by the next call
            if not stamp:
                raise UserError(f"{self._path}: no such file any more; make it again, or leave it out")
            if stamp != self._stamp or self._content is None:
                self._stamp = stamp
                try:
                    self._content = self._read(self._path)
                except UserError as error:  # kept, so that a damaged file is not read again at each request
                    self._content = error
            if isinstance(self._content, UserError):
                raise UserError(str(self._content))
            return self._content


class Library:
    """The runs, evaluation folders and files that were given; nothing else can be read through it.

    Raises UserError for one that does not exist.
    """

    def __init__(self, places: Sequence[str | Path]):
        self._places = [Path(place) for place in dict.fromkeys(map(str, places))]
        for place in self._places:
            if not place.exists():
                raise UserError(f"run {place}: no such folder or file; give a run, an evaluation or a traces.jsonl")
        self._names = _names(self._places)
        self._indexes: dict[Path, Kept[TraceIndex]] = {}
        self._explanations: dict[Path, Kept[Explanation]] = {}
        self._lock = threading.Lock()

    def sources(self) -> dict[str, Source]:
        """Name → source, in the order of the command line. Folders are looked through at each call: a run that still
        trains gets new epochs."""
        return {
            source.name: source
            for place, name in zip(self._places, self._names, strict=True)
            for source in _sources(place, name)
        }

    def empty(self) -> list[str]:
        """Names of what was given and holds no traces yet."""
        pairs = zip(self._places, self._names, strict=True)
        return [name for place, name in pairs if not any(_sources(place, name))]

    def index(self, source: Source) -> TraceIndex:
        """The index of a source as its file is now. Raises UserError where the file cannot be used."""
        return self._kept(self._indexes, source.traces, TraceIndex).get()

    def explanation(self, source: Source) -> Explanation | None:
        """The explanation of a source; None where there is none. Raises UserError where it cannot be used."""
        if source.explanation is None or not source.explanation.is_file():
            return None
        return self._kept(self._explanations, source.explanation, Explanation).get()

    def report(self, source: Source) -> str | None:
        """Where the report beside the explanation lies; None where there is none."""
        path = source.explanation and source.explanation.with_name("report.html")
        return str(path) if path and path.is_file() else None

    def is_older(self, source: Source) -> bool:
        """Whether the traces were written after their explanation."""
        try:
            return source.explanation is not None and source.explanation.stat().st_mtime < source.traces.stat().st_mtime
        except OSError:
            return False

    def version(self, source: Source) -> str:
        """A text that changes when a file of the source does."""
        stamps = [self._kept(self._indexes, source.traces, TraceIndex).stamp()]
        if source.explanation is not None:
            stamps.append(self._kept(self._explanations, source.explanation, Explanation).stamp())
        return " ".join(stamps)

    def warm(self) -> None:
        """Read everything in a thread of its own, so that the first page is there when it is asked for."""
        threading.Thread(target=self._read_all, daemon=True).start()

    def _read_all(self) -> None:
        from scipy.stats import binomtest  # noqa: F401 (what takes long in the first figures)

        for source in self.sources().values():
            try:
                self.index(source)
            except UserError:  # shown to whoever opens it
                continue

    def _kept(
        self, kept: dict[Path, Kept[Content]], path: Path, read: Callable[[Path], Content]
    ) -> Kept[Content]:  # fmt: skip
        with self._lock:
            return kept.setdefault(path, Kept(path, read))


def _sources(place: Path, name: str) -> Iterator[Source]:
    if place.is_file():
        yield Source(name, name, place)
    elif (place / TRACES).is_file():
        yield Source(name, name, place / TRACES)
    else:
        command = f"memreason explain {shlex.quote(str(place))}" if (place / MANIFEST).is_file() else None
        if (traces := place / EVALUATION / TRACES).is_file():
            yield Source(name, name, traces, place / EXPLANATION, command)
        if (traces := place / "before" / TRACES).is_file():
            yield Source(f"{name}:before", f"{name} before training", traces)
        epochs = [path.parent for path in place.glob(f"epochs/epoch-*/{TRACES}")]
        for epoch in sorted(epochs, key=lambda path: (len(path.name), path.name)):
            number = epoch.name.removeprefix("epoch-")
            yield Source(f"{name}:{epoch.name}", f"{name} after epoch {number}", epoch / TRACES)


def _names(places: Sequence[Path]) -> list[str]:
    """A name for each place: the end of its path, as long as it takes for all to differ."""
    paths = [place.resolve() for place in places]
    parts = [(path.parent if path.name == TRACES else path).parts for path in paths]
    lengths = [2 if part[-1] in _OF_RUNS or part[-1].startswith("epoch-") else 1 for part in parts]
    while True:
        names = ["/".join(part[-length:]).lstrip("/") for part, length in zip(parts, lengths, strict=True)]
        repeated = {
            number
            for number, name in enumerate(names)
            if names.count(name) > 1 and lengths[number] < len(parts[number])
        }
        if not repeated:
            break
        lengths = [length + (number in repeated) for number, length in enumerate(lengths)]
    return [name if names.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names, 1)]
