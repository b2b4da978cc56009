"""What a run was trained on, as digests: two runs with the same digests saw the same questions in the same order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from memreason.records import Solution
from memreason.training.dataset import Examples
from memreason.training.packing import PackedExamples

Order = Callable[[int], np.ndarray]
"""Epoch → (examples or rows,) the indices in the order in which they are trained on."""


class Record:
    """Takes down what is in the examples, and after training, in which order it came.

    The digests leave out how solutions are rendered: layouts with other planning tokens, and other step types, give the
    same ones. Memory: 8 bytes for each example.
    """

    def __init__(self, examples: Examples, solutions: Sequence[Solution]):
        """``solutions`` are the training solutions that the examples were made from."""
        self._lengths = examples.lengths
        self._keys = np.empty(len(examples), dtype=np.uint64)
        steps = hashlib.sha256()
        for number, index in enumerate(examples.solutions):
            question = solutions[int(index)].question
            asked = (question.id, question.text, question.options, question.answer)
            self._keys[number] = int.from_bytes(hashlib.sha256(repr(asked).encode()).digest()[:8], "little")
            steps.update(repr([step.text for step in solutions[int(index)].steps]).encode())
        self.questions = hashlib.sha256(self._keys.tobytes()).hexdigest()[:16]
        self.solutions = steps.hexdigest()[:16]

    def order(self, order: Order, examples: Examples | PackedExamples, steps: int, per_step: int) -> tuple[str, int]:
        """(digest of the questions in the order in which they were trained on, number of tokens trained on).

        ``examples`` are those of the trainer: the same, or rows of them. ``steps`` optimizer steps were made, each on
        ``per_step`` of them, or on what was left of an epoch.
        """
        digest, tokens, count = hashlib.sha256(), 0, len(examples)
        in_epoch = -(-count // per_step)
        for epoch in range(-(-steps // in_epoch)):
            seen = order(epoch)
            seen = seen[seen < count][: (steps - epoch * in_epoch) * per_step]  # beyond the examples stand blanks
            members = examples.members(seen) if isinstance(examples, PackedExamples) else seen
            digest.update(self._keys[members].tobytes())
            tokens += int(self._lengths[members].sum())
        return digest.hexdigest()[:16], tokens


def steps_for(tokens: int, examples: int, tokens_of_epoch: int, per_step: int) -> int:
    """The number of optimizer steps, at least 1, that come nearest to ``tokens`` training tokens, where an epoch has
    ``examples`` examples (or rows), and a step is made on ``per_step`` of them."""
    return max(1, round(tokens / tokens_of_epoch * -(-examples // per_step)))
