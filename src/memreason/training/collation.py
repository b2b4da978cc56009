"""Examples → the tensors of a batch: padded rows, or one row without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from memreason.planning_tokens.layout import IGNORE
from memreason.training.dataset import Example


def collate(examples: Sequence[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """Right-padded ``input_ids``, ``labels``, and ``attention_mask`` or, for packed rows, ``position_ids``; each
    (batch, longest) int64.

    The mask is built from lengths, never from `input_ids != pad_id`: the pad id may also be a real token's id.
    Packed rows have no mask: their padding counts as one more text, which its positions separate from the others.
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
    ``lengths`` of its texts. A packed row counts as several texts."""
    positions = [
        torch.as_tensor(each["position_ids"]) if "position_ids" in each else torch.arange(len(each["input_ids"]))
        for each in examples
    ]
    position_ids = torch.cat(positions)
    starts = (position_ids == 0).nonzero().flatten()
    labels = torch.cat([torch.as_tensor(example["labels"]) for example in examples])
    labels[starts] = IGNORE  # else the last token of a text would have to predict the first token of the next text
    return {
        "input_ids": torch.cat([torch.as_tensor(example["input_ids"]) for example in examples])[None],
        "labels": labels[None],
        "position_ids": position_ids[None],
        "lengths": torch.diff(starts, append=torch.tensor([len(labels)])).tolist(),
    }
