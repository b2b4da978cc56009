"""Keys and values of all answers under way: one block of memory for each layer, with a *slot* for each answer."""

from __future__ import annotations

import torch
from torch.nn import functional
from transformers import DynamicCache

_SPARE = 64
"""When a slot is full, all slots grow by this many tokens more than needed."""


class SlotCache:
    """Keys and values, for each layer two tensors (slots, capacity, key-value heads, head size). In this order, what a
    token adds is one contiguous piece of memory."""

    def __init__(self, slots: int, shared: DynamicCache | None = None):
        """``shared`` holds the keys and values with which each of the ``slots`` begins; there can be more later."""
        self.slots, self.capacity = slots, 0
        self.shared_length = shared.get_seq_length() if shared is not None else 0
        self._shared = shared
        self._keys: dict[int, torch.Tensor] = {}
        self._values: dict[int, torch.Tensor] = {}

    @property
    def layers(self) -> int:
        """How many layers have written keys and values."""
        return len(self._keys)

    def write(
        self, layer: int, places: torch.Tensor, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write ``key`` and ``value`` (key-value heads, tokens, head size) to ``places`` (tokens,), which count through
        all slots (slot × capacity + position). Returns all keys and all values, (slots, key-value heads, capacity, head
        size) each."""
        if layer not in self._keys:
            self._open(layer, key)
        held = self._keys[layer], self._values[layer]
        for block, new in zip(held, (key, value), strict=True):
            block.flatten(0, 1).index_copy_(0, places, new.transpose(0, 1))
        return held[0].transpose(1, 2), held[1].transpose(1, 2)

    def _open(self, layer: int, like: torch.Tensor) -> None:
        """Make the slots of a layer, each beginning with the shared keys and values."""
        heads, _, size = like.shape
        for held in (self._keys, self._values):
            held[layer] = like.new_zeros(self.slots, self.capacity, heads, size)
        self._begin(layer, 0)

    def _begin(self, layer: int, slot: int) -> None:
        """Write the shared keys and values of a layer into all slots from ``slot`` on."""
        if self._shared is not None:
            for held, which in ((self._keys, "keys"), (self._values, "values")):
                shared = getattr(self._shared.layers[layer], which)  # (1, heads, tokens, size)
                held[layer][slot:, : shared.shape[2]] = shared.transpose(1, 2)

    def move(self, slot: int, to: int, length: int) -> None:
        """Copy the first ``length`` tokens of ``slot`` to the slot ``to``."""
        for held in (self._keys, self._values):
            for block in held.values():
                block[to, :length] = block[slot, :length]

    def reserve(self, length: int) -> None:
        """Let every slot grow, if needed, so that it can hold ``length`` tokens."""
        if length <= self.capacity:
            return
        more = length + _SPARE - self.capacity
        for held in (self._keys, self._values):
            for layer, block in held.items():
                held[layer] = functional.pad(block, (0, 0, 0, 0, 0, more))
        self.capacity += more

    def open(self, slots: int) -> None:
        """Let there be at least this many slots."""
        if slots <= self.slots:
            return
        for held in (self._keys, self._values):
            for layer, block in held.items():
                held[layer] = functional.pad(block, (0, 0, 0, 0, 0, 0, 0, slots - self.slots))
        before, self.slots = self.slots, slots
        for layer in self._keys:
            self._begin(layer, before)
