"""Solutions → training examples (ids and labels) → padded batches of examples of like length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase
from transformers.trainer_pt_utils import LengthGroupedSampler

from memreason.errors import UserError
from memreason.planning_tokens import IGNORE, PlanningTokens
from memreason.records import Solution

Example = dict[str, list[int]]
"""``input_ids`` and ``labels``, of equal length; labels are `IGNORE` on the prompt."""


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
    solutions: list[Solution], layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase, model_max_length: int
) -> tuple[list[Example], EncodingReport]:
    """Encode what can be trained on whole; a text over ``model_max_length`` is left out, never cut.

    Raises UserError where nothing remains.
    """
    examples: list[Example] = []
    too_long, without_steps = [], []
    for solution in solutions:
        if not solution.steps:
            without_steps.append(solution.question.id)
            continue
        encoded = layout.encode(tokenizer, solution)
        if len(encoded.ids) > model_max_length:
            too_long.append(solution.question.id)
            continue
        examples.append({"input_ids": encoded.ids, "labels": encoded.labels})
    if not examples:
        raise UserError(
            f"no training example is left of {len(solutions)} solutions: {len(too_long)} are longer than "
            f"--model_max_length {model_max_length}, {len(without_steps)} have no steps"
        )
    tokens = sum(len(example["input_ids"]) for example in examples)
    return examples, EncodingReport(len(examples), tokens, tuple(too_long), tuple(without_steps))


def collate(examples: list[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """Right-padded ``input_ids``, ``attention_mask`` and ``labels``, each (batch, longest) int64.

    The mask is built from lengths, never from `input_ids != pad_id`: the pad id may be a real token's.
    """
    longest = max(len(example["input_ids"]) for example in examples)
    batch = {
        "input_ids": torch.full((len(examples), longest), pad_id),
        "attention_mask": torch.zeros((len(examples), longest), dtype=torch.long),
        "labels": torch.full((len(examples), longest), IGNORE),
    }
    for row, example in enumerate(examples):
        length = len(example["input_ids"])
        batch["input_ids"][row, :length] = torch.tensor(example["input_ids"])
        batch["attention_mask"][row, :length] = 1
        batch["labels"][row, :length] = torch.tensor(example["labels"])
    return batch


class EpochSeededSampler(LengthGroupedSampler):
    """Length-grouped order that depends on (seed, epoch) alone.

    The stock sampler draws from the global generator, so a resumed run would see another order than
    an uninterrupted one.
    """

    def __init__(self, batch_size: int, lengths: list[int], seed: int):
        super().__init__(batch_size, lengths=lengths, generator=torch.Generator())
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader at each epoch's start."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator.manual_seed(self.seed * 1_000_003 + self.epoch)
        return super().__iter__()


def _some(ids: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")
