"""Training examples as an Arrow file, memory-mapped: memory does not grow with their number.

A file belongs to one folder (a run's) and to all that decides what is in it, so that a resumed run and
a run's other processes find it. A folder holds one such file, and a finished run none.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, overload

import numpy as np

from memreason.errors import UserError
from memreason.generation.few_shot import Demonstrations
from memreason.planning_tokens.layout import IGNORE, PlanningTokens
from memreason.records import Solution

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

Example = dict[str, list[int]]
"""``input_ids`` and ``labels``, of equal length; labels are `IGNORE` on the prompt. A row of packed
solutions has ``position_ids`` too, which start from 0 with each of them."""

Columns = dict[str, list[Any]]
"""Of some examples: ``input_ids``, ``prompt_length`` (how many of them bear no loss), and ``solution``,
the index of the solution that each was made from."""

TOKENISED = "tokenised"
"""The folder, in a run's, of what is kept here."""
_CANARIES = 16
_KEY = re.compile("[0-9a-f]{24}")


class Examples(Sequence[Example]):
    """Examples that are read from disk when they are asked for. ``lengths`` (examples,) are their tokens."""

    def __init__(self, rows: Dataset):
        import pyarrow.compute as compute

        self._rows = rows
        self.lengths: np.ndarray = compute.list_value_length(rows.data.column("input_ids")).to_numpy()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._rows[int(index)]
        ids, prompt_length = row["input_ids"], row["prompt_length"]
        return {"input_ids": ids, "labels": [IGNORE] * prompt_length + ids[prompt_length:]}

    @property
    def solutions(self) -> np.ndarray:
        """(examples,) the index of the solution that each was made from."""
        return self._rows.data.column("solution").to_numpy()


def in_memory(batches: Iterable[Columns]) -> Examples:
    """Examples that no file is worth."""
    import pyarrow as pa
    from datasets import Dataset

    stream = pa.BufferOutputStream()
    _write(batches, stream)
    return Examples(Dataset.from_buffer(stream.getvalue()))


def load_or_build(folder: Path, key: str, batches: Callable[[], Iterable[Columns]]) -> Examples:
    """The examples of this ``key`` in ``folder``, made from ``batches()`` where they are not there yet.

    Of several processes that ask at the same time, one makes them and the others wait. A file is moved
    to its name only once it is whole and on disk; files of other keys are then removed. Raises
    UserError where ``folder`` cannot be written to.
    """
    from datasets import Dataset
    from huggingface_hub.utils import WeakFileLock

    path, aside = folder / f"{key}.arrow", folder / ".making"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(folder / ".lock"):
            if not _can_be_read(path):
                _write_whole(batches(), aside, path)
                for other in set(_ours(folder)) - {path}:
                    other.unlink()
    except (PermissionError, NotADirectoryError) as error:
        raise UserError(f"{folder}: cannot be written to ({error.strerror}); tokenised examples go there") from error
    return Examples(Dataset.from_file(str(path)))


def discard(folder: Path) -> None:
    """Remove what `load_or_build` put into ``folder``, and the folder unless somebody else's file is in it."""
    for path in (*_ours(folder), folder / ".lock", folder / ".making"):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _ours(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*.arrow") if _KEY.fullmatch(path.stem))


def _can_be_read(path: Path) -> bool:
    """Whether ``path`` is there and not damaged since; else it is made anew."""
    from datasets import Dataset

    try:
        return path.exists() and bool(Dataset.from_file(str(path)).features)
    except (OSError, ValueError, KeyError):  # pyarrow's own are among them
        return False


def _write_whole(batches: Iterable[Columns], aside: Path, path: Path) -> None:
    try:
        with open(aside, "wb") as file:  # what a killed process left there is written over
            _write(batches, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def fingerprint(
    solutions: Sequence[Solution],
    layout: PlanningTokens,
    tokenizer: PreTrainedTokenizerBase,
    model_max_length: int,
    demonstrations: Demonstrations | None,
) -> str:
    """A key of all that decides what the examples are.

    What some solutions become is part of it, so that another version of this package, or of the
    tokenizer's, makes another key where it makes other examples.
    """
    some = solutions[:: max(1, len(solutions) // _CANARIES)]
    shown = [demonstrations(solution.question) if demonstrations else () for solution in some]
    # This comes first, since it also sets back what earlier calls left in the tokenizer (padding, say).
    canaries = layout.encode_all(tokenizer, some, shown)
    digest = hashlib.sha256(repr((layout, model_max_length, shown, canaries, len(solutions))).encode())
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            digest.update(file.read_bytes())
    for solution in solutions:
        digest.update(repr(solution).encode())
    if demonstrations:
        digest.update(repr((demonstrations.count, demonstrations.selection, demonstrations.seed)).encode())
        for solution in demonstrations.pool:
            digest.update(repr(solution).encode())
    return digest.hexdigest()[:24]


def _write(batches: Iterable[Columns], stream: IO[bytes] | Any) -> None:
    from datasets import Features, List, Value
    from datasets.arrow_writer import ArrowWriter

    features = Features(
        {"input_ids": List(Value("int32")), "prompt_length": Value("int32"), "solution": Value("int32")}
    )
    with ArrowWriter(features=features, stream=stream) as writer:
        for batch in batches:
            writer.write_batch(batch)
        writer.finalize(close_stream=False)
