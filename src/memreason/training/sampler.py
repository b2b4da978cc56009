"""The order of the examples in an epoch, the same for a run in one piece and a resumed one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from memreason.planning_tokens.layout import IGNORE
from memreason.training.dataset import Example


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
