"""One forward pass over a row of tokens without padding: the next tokens of each answer under way, and the whole
prompts of the answers that have just got a slot."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from transformers import PreTrainedModel

from memreason.generation.slot_attention import SlotAttention, Step
from memreason.models.unit import bare
from memreason.runtime.cpu_threads import share_cores


@dataclass
class Row:
    """An answer under way, in the slot number ``slot``.

    ``read`` is the number of tokens in its slot. The tokens ``pending`` are read next: the prompt, or the last of the
    generated ids and the draft tokens after it. The ``sample`` is the answer so far; passes do not need it.
    """

    slot: int
    read: int
    pending: list[int]
    sample: Any = None


def logits_of(model: PreTrainedModel, slots: SlotAttention, under_way: list[Row], joined: list[Row]) -> torch.Tensor:
    """One pass over everything pending: the logits (tokens, vocabulary) after each pending token of the answers
    ``under_way``, followed by those after each prompt of the answers that ``joined``."""
    share_cores()
    device = model.device
    rows = [*under_way, *joined]
    slots.cache.reserve(max(row.read + len(row.pending) for row in rows))
    lengths = [len(row.pending) for row in rows]
    ends = list(accumulate(lengths))
    tokens = sum(lengths[: len(under_way)])
    width = max(lengths[: len(under_way)], default=1)
    length = max((row.read + len(row.pending) for row in under_way), default=0)
    count = max((row.slot + 1 for row in under_way), default=0)
    read = {row.slot: row.read for row in under_way}
    cells = [(row.slot, j) for row in under_way for j in range(len(row.pending))]
    ids, slot, position, row_of, column_of, reads, keep = _move_together(
        device,
        [token for row in rows for token in row.pending],
        [row.slot for row in rows for _ in row.pending],
        [row.read + i for row in rows for i in range(len(row.pending))],
        [i for i, _ in cells],
        [j for _, j in cells],
        [read.get(i, 0) for i in range(count)],
        [*range(tokens), *(end - 1 for end in ends[len(under_way) :])],
    )
    # Rows with fewer pending tokens are padded in the grid; it does not matter what the padding sees.
    columns = torch.arange(width, device=device)[None, :, None]
    seen = torch.arange(length, device=device) <= reads[:, None, None] + columns
    prompts = [(row.slot, end - size, end, row.read) for row, end, size in zip(rows, ends, lengths, strict=True)]
    slots.step = Step(slot, position, tokens, row_of, column_of, width, length, seen, prompts[len(under_way) :])
    inputs: dict[str, Any] = {"input_ids": ids[None], "position_ids": position[None]}
    if "logits_to_keep" in inspect.signature(bare(model).forward).parameters:
        return model(**inputs, use_cache=False, logits_to_keep=keep).logits[0]
    return model(**inputs, use_cache=False).logits[0, keep]


def _move_together(device: torch.device, *lists: list[int]) -> tuple[torch.Tensor, ...]:
    """Each list as a tensor on the device, by one copy for which the CPU does not wait."""
    flat = torch.tensor([number for numbers in lists for number in numbers], dtype=torch.long)
    flat = flat.pin_memory() if device.type == "cuda" else flat
    return flat.to(device, non_blocking=True).split([len(numbers) for numbers in lists])
