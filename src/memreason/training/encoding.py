"""Solutions → training examples (ids and labels), packed or not → padded batches of examples of like length."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from memreason.errors import UserError
from memreason.generation.few_shot import Demonstrations
from memreason.planning_tokens.layout import IGNORE, PlanningTokens
from memreason.records import Solution
from memreason.training.dataset import Columns, Example, Examples, fingerprint, in_memory, kept

_AT_ONCE = 1000
"""How many solutions are tokenised together."""


@dataclass(frozen=True)
class EncodingReport:
    """What became of the solutions: how many are trained on, and the ids of those left out and why."""

    examples: int
    tokens: int
    too_long: tuple[str, ...]
    without_steps: tuple[str, ...]

    def lines(self, model_max_length: int) -> list[str]:
        """The report in words, for people."""
        text = [f"{self.examples} training solutions, {self.tokens / self.examples:.0f} tokens each on average"]
        if self.too_long:
            text.append(
                f"left out {len(self.too_long)} solutions longer than --model_max_length {model_max_length} "
                f"(cutting them would cut off the answer): {_some(self.too_long)}"
            )
        if self.without_steps:
            text.append(f"left out {len(self.without_steps)} questions without a solution: {_some(self.without_steps)}")
        return text


def encode_solutions(
    solutions: Sequence[Solution],
    layout: PlanningTokens,
    tokenizer: PreTrainedTokenizerBase,
    model_max_length: int,
    demonstrations: Demonstrations | None = None,
    folder: Path | None = None,
    progress: str | None = None,
) -> tuple[Examples, EncodingReport]:
    """Encode what can be trained on whole; a text over ``model_max_length`` is left out, never cut.

    ``demonstrations`` choose what is shown before each question, which is a part of the prompt. With a
    ``folder`` the examples are kept there on disk, and found there by whoever asks for the same again;
    else they stay in memory, at 4 bytes a token. ``progress`` titles a progress bar, which shows where
    this takes long. Raises UserError where nothing remains.
    """

    def batches() -> Iterator[Columns]:
        return _encoded(solutions, layout, tokenizer, model_max_length, demonstrations, progress)

    if folder is None:
        examples = in_memory(batches())
    else:
        key = fingerprint(solutions, layout, tokenizer, model_max_length, demonstrations)
        examples = kept(folder, key, batches)
    encoded = np.zeros(len(solutions), dtype=bool)
    encoded[examples.solutions] = True
    too_long: list[str] = []
    without_steps: list[str] = []
    for i in np.flatnonzero(~encoded).tolist():
        (too_long if solutions[i].steps else without_steps).append(solutions[i].question.id)
    tokens = int(examples.lengths.sum())
    return examples, EncodingReport(len(examples), tokens, tuple(too_long), tuple(without_steps))


def _encoded(
    solutions: Sequence[Solution],
    layout: PlanningTokens,
    tokenizer: PreTrainedTokenizerBase,
    model_max_length: int,
    demonstrations: Demonstrations | None,
    progress: str | None,
) -> Iterator[Columns]:
    with_steps = examples = 0
    with tqdm(total=len(solutions), desc=progress, disable=progress is None, delay=2, leave=False) as bar:
        for start in range(0, len(solutions), _AT_ONCE):
            portion = solutions[start : start + _AT_ONCE]
            indices = [start + i for i, solution in enumerate(portion) if solution.steps]
            some = [solution for solution in portion if solution.steps]
            with_steps += len(some)
            shown = [demonstrations(solution.question) if demonstrations else () for solution in some]
            found = zip(indices, layout.encode_all(tokenizer, some, shown), strict=True)
            whole = [(i, encoded) for i, encoded in found if len(encoded.ids) <= model_max_length]
            yield {
                "input_ids": [encoded.ids for _, encoded in whole],
                "prompt_length": [encoded.prompt_length for _, encoded in whole],
                "solution": [i for i, _ in whole],
            }
            examples += len(whole)
            bar.update(len(portion))
    if not examples:
        raise UserError(
            f"no training example is left of {len(solutions)} solutions: {with_steps} are longer than "
            f"--model_max_length {model_max_length}, {len(solutions) - with_steps} have no steps"
        )


class PackedExamples(Sequence[Example]):
    """Rows of whole examples, put together when they are asked for. ``lengths`` (rows,) are their tokens."""

    def __init__(self, examples: Examples, row_of: np.ndarray):
        """``row_of`` (examples,) is the row of each example; rows count from 0."""
        self._examples = examples
        self._order = np.argsort(row_of, kind="stable")
        self._ends = np.cumsum(np.bincount(row_of))
        self.lengths = np.bincount(row_of, weights=examples.lengths).astype(np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        start = self._ends[number - 1] if number else 0
        row = [self._examples[i] for i in self._order[start : self._ends[number]]]
        return {
            "input_ids": [i for example in row for i in example["input_ids"]],
            "labels": [i for example in row for i in example["labels"]],
            "position_ids": [i for example in row for i in range(len(example["input_ids"]))],
        }


def pack(examples: Examples, length: int) -> PackedExamples:
    """Put whole examples into rows of at most ``length`` tokens: the longest first, each where it fits best.

    The same examples give the same rows. None may be longer than ``length``.
    """
    row_of = np.empty(len(examples), dtype=np.int64)
    rows = 0
    with_room: dict[int, list[int]] = {}  # room → the rows that have it
    rooms: list[int] = []  # the same rooms, sorted
    for example in np.argsort(-examples.lengths, kind="stable"):
        size = int(examples.lengths[example])
        at = bisect_left(rooms, size)
        if at == len(rooms):
            room, row = length, rows
            rows += 1
        else:
            room = rooms[at]
            row = with_room[room].pop()
            if not with_room[room]:
                del with_room[room], rooms[at]
        row_of[example] = row
        if (left := room - size) not in with_room:
            with_room[left] = []
            insort(rooms, left)
        with_room[left].append(row)
    return PackedExamples(examples, row_of)


def collate(examples: Sequence[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """Right-padded ``input_ids``, ``labels``, and ``attention_mask`` or, where rows are packed,
    ``position_ids``; each (batch, longest) int64.

    The mask is built from lengths, never from `input_ids != pad_id`: the pad id may be a real token's.
    Packed rows have none: their padding is one more text, apart from the others by its positions.
    """
    longest = max(len(example["input_ids"]) for example in examples)
    extra = "position_ids" if "position_ids" in examples[0] else "attention_mask"
    batch = {
        "input_ids": torch.full((len(examples), longest), pad_id),
        extra: torch.zeros((len(examples), longest), dtype=torch.long),
        "labels": torch.full((len(examples), longest), IGNORE),
    }
    for row, example in enumerate(examples):
        length = len(example["input_ids"])
        batch["input_ids"][row, :length] = torch.tensor(example["input_ids"])
        batch["labels"][row, :length] = torch.tensor(example["labels"])
        if extra == "attention_mask":
            batch[extra][row, :length] = 1
        else:
            batch[extra][row] = torch.tensor([*example[extra], *range(longest - length)])
    return batch


def join(examples: Sequence[Example]) -> dict[str, Any]:
    """One row without padding: ``input_ids``, ``labels`` and ``position_ids``, each (1, tokens) int64, and the
    ``lengths`` of its texts; a packed row is as many texts as it holds."""
    positions = [
        torch.as_tensor(one["position_ids"]) if "position_ids" in one else torch.arange(len(one["input_ids"]))
        for one in examples
    ]
    position_ids = torch.cat(positions)
    starts = (position_ids == 0).nonzero().flatten()
    labels = torch.cat([torch.as_tensor(one["labels"]) for one in examples])
    labels[starts] = IGNORE  # else a text's last token would be asked for the next one's first
    return {
        "input_ids": torch.cat([torch.as_tensor(one["input_ids"]) for one in examples])[None],
        "labels": labels[None],
        "position_ids": position_ids[None],
        "lengths": torch.diff(starts, append=torch.tensor([len(labels)])).tolist(),
    }


class WithBlank(Dataset):
    """The examples, and after them one without loss, for processes that find none left in an epoch's last batch."""

    def __init__(self, examples: Sequence[Example]):
        self.examples = examples
        self.lengths = getattr(examples, "lengths", None)
        self.blank = {name: values[:2] for name, values in examples[0].items()} | {"labels": [IGNORE, IGNORE]}

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[index] if index < len(self.examples) else self.blank


class EpochSeededSampler(Sampler[int]):
    """transformers' length-grouped order, depending on (seed, epoch) alone.

    The stock sampler draws from the global generator, so a resumed run would see another order than
    an uninterrupted one; and it holds that order as Python numbers. The order: a permutation, in
    pieces of up to 50 batches, each sorted by falling length; the longest of all comes first, so that
    memory that is too small shows at once. Each epoch is filled up with blanks (index: the number of examples)
    to a multiple of ``fill``, so that all processes get as many batches; accelerate would repeat examples instead.
    """

    def __init__(self, batch_size: int, lengths: np.ndarray | list[int], seed: int, fill: int = 1):
        self.lengths = torch.tensor(lengths)
        self.piece = batch_size * max(1, min(len(lengths) // (batch_size * 4), 50))
        self.seed = seed
        self.epoch = 0
        self.blanks = -len(lengths) % fill

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader at each epoch's start."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths) + self.blanks

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator)
        for piece in order.split(self.piece):
            piece.copy_(piece[self.lengths[piece].sort(descending=True, stable=True).indices])
        starts = order[:: self.piece]
        longest = int(self.lengths[starts].argmax()) * self.piece
        order[[0, longest]] = order[[longest, 0]]
        for piece in order.split(self.piece):
            yield from piece.tolist()
        yield from [len(self.lengths)] * self.blanks


def _some(ids: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")
