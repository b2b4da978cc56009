"""Training examples in an Arrow file that is memory-mapped, so that memory does not grow with their number.

The file lies in the run's folder. Its name is a key of everything that decides its content, so a resumed run and the
other processes of a run find it again. A folder holds at most one such file; a finished run has none.
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
"""``input_ids`` and ``labels``, of equal length; labels are `IGNORE` on the prompt. A row of packed solutions also has
``position_ids``, which start from 0 in each solution."""

Columns = dict[str, list[Any]]
"""Several examples, as columns: ``input_ids``, ``prompt_length`` (how many of the first ids have no loss), and
``solution`` (index of the solution that the example was made from)."""

TOKENISED = "tokenised"
"""The folder of these files, in the run's folder."""
_CANARIES = 16
_KEY = re.compile("[0-9a-f]{24}")


class Examples(Sequence[Example]):
    """Examples that are read from disk one by one, on access. ``lengths`` (examples,): number of tokens of each."""

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
        """(examples,) index of the solution that each example was made from."""
        return self._rows.data.column("solution").to_numpy()


def in_memory(batches: Iterable[Columns]) -> Examples:
    """The examples in memory, without a file."""
    import pyarrow as pa
    from datasets import Dataset

    stream = pa.BufferOutputStream()
    _write(batches, stream)
    return Examples(Dataset.from_buffer(stream.getvalue()))


def load_or_build(folder: Path, key: str, batches: Callable[[], Iterable[Columns]]) -> Examples:
    """The examples with this ``key`` in ``folder``; if they are not there yet, they are made from ``batches()``.

    If several processes call this at the same time, one makes them and the others wait. The file gets its name only
    when it is complete and on disk; then files of other keys are removed. Raises UserError where ``folder`` cannot be
    written to.
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
        raise UserError(
            f"{folder}: cannot be written to ({error.strerror}), and tokenised examples are kept there"
        ) from error
    return Examples(Dataset.from_file(str(path)))


def discard(folder: Path) -> None:
    """Remove the files that `load_or_build` wrote into ``folder``, and the folder if nothing else is in it."""
    for path in (*_ours(folder), folder / ".lock", folder / ".making"):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _ours(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*.arrow") if _KEY.fullmatch(path.stem))


def _can_be_read(path: Path) -> bool:
    """Whether the file at ``path`` is there and can be opened. If not, it is made again."""
    from datasets import Dataset

    try:
        return path.exists() and bool(Dataset.from_file(str(path)).features)
    except (OSError, ValueError, KeyError):  # pyarrow's own are among them
        return False


def _write_whole(batches: Iterable[Columns], aside: Path, path: Path) -> None:
    try:
        with open(aside, "wb") as file:  # a file that a killed process left there is overwritten
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
    """A key of everything that decides what the examples are.

    The encoding of some solutions is part of it. So another version of this package or of the tokenizer's, if it
    encodes solutions differently, gives another key.
    """
    some = solutions[:: max(1, len(solutions) // _CANARIES)]
    shown = [demonstrations(solution.question) if demonstrations else () for solution in some]
    # This comes before the tokenizer is saved: it also resets what earlier calls changed in it (padding, for example).
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
