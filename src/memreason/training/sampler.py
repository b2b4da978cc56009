"""The order of the examples in an epoch. It is the same in a resumed run as in one that was never stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from memreason.planning_tokens.layout import IGNORE
from memreason.training.dataset import Example


class WithBlank(Dataset):
    """The examples, followed by one without loss (a *blank*), for processes that get no example in the last batch."""

    def __init__(self, examples: Sequence[Example]):
        self.examples = examples
        self.lengths = getattr(examples, "lengths", None)
        self.blank = {name: values[:2] for name, values in examples[0].items()} | {"labels": [IGNORE, IGNORE]}

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[index] if index < len(self.examples) else self.blank


class EpochSeededSampler(Sampler[int]):
    """A random order, or transformers' order by groups of similar length, as a function of (seed, epoch) alone.

    transformers' own samplers draw from the global generator, so the order in a resumed run would differ from that in
    an uninterrupted one; and they hold the order as a list of Python numbers. The order is a random permutation. With
    ``grouped``, it is in pieces of up to 50 batches, each sorted from the longest example to the shortest, and the
    longest example of all comes first, so that a lack of memory shows at once; without, it does not depend on the
    lengths. Each epoch is filled with blanks (index: the number of examples) up to a multiple of ``fill``, so that all
    processes get the same number of batches; accelerate would repeat examples.
    """

    def __init__(
        self, batch_size: int, lengths: np.ndarray | list[int], seed: int, fill: int = 1, grouped: bool = True
    ):
        self.lengths = torch.tensor(lengths)
        self.piece = batch_size * max(1, min(len(lengths) // (batch_size * 4), 50))
        self.seed = seed
        self.epoch = 0
        self.blanks = -len(lengths) % fill
        self.grouped = grouped

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; the data loader calls this at the start of each."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths) + self.blanks

    def __iter__(self) -> Iterator[int]:
        for piece in self.order(self.epoch).split(self.piece):
            yield from piece.tolist()

    def order(self, epoch: int) -> torch.Tensor:
        """(examples and blanks,) the order of an epoch, int64."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.lengths), generator=generator)
        if self.grouped:
            for piece in order.split(self.piece):
                piece.copy_(piece[self.lengths[piece].sort(descending=True, stable=True).indices])
            starts = order[:: self.piece]
            longest = int(self.lengths[starts].argmax()) * self.piece
            order[[0, longest]] = order[[longest, 0]]
        return torch.cat([order, torch.full((self.blanks,), len(self.lengths))]) if self.blanks else order
