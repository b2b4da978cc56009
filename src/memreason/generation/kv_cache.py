"""Keys and values of all answers under way: one block of memory for each layer, with a *slot* for each answer."""

from __future__ import annotations

import torch
from torch.nn import functional
from transformers import DynamicCache

from memreason.errors import Unsupported

_SPARE = 64
"""When a slot is full, all slots grow by this many tokens more than needed."""


class SlotCache:
    """Keys and values, for each layer two tensors (slots, capacity, key-value heads, head size). In this order, what a
    token adds is one contiguous piece of memory. Values may be of another size than keys."""

    def __init__(self, slots: int, shared: DynamicCache | None = None):
        """``shared`` holds the keys and values with which each of the ``slots`` begins; there can be more later."""
        self.slots, self.capacity = slots, 0
        self.shared_length = shared.get_seq_length() if shared is not None else 0
        self._shared = shared
        self._keys: dict[int, torch.Tensor] = {}
        self._values: dict[int, torch.Tensor] = {}

    def write(
        self, layer: int, places: torch.Tensor, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write ``key`` and ``value`` (key-value heads, tokens, head size) to ``places`` (tokens,), which count through
        all slots (slot × capacity + position). Returns all keys and all values, (slots, key-value heads, capacity, head
        size) each. Raises Unsupported if the shared keys are not of this kind."""
        if layer not in self._keys:
            self._open(layer, key, value)
        held = self._keys[layer], self._values[layer]
        for block, new in zip(held, (key, value), strict=True):
            block.flatten(0, 1).index_copy_(0, places, new.transpose(0, 1))
        return held[0].transpose(1, 2), held[1].transpose(1, 2)

    def _open(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
        """Make the slots of a layer, each beginning with the shared keys and values."""
        for held, like in ((self._keys, key), (self._values, value)):
            heads, _, size = like.shape
            held[layer] = like.new_zeros(self.slots, self.capacity, heads, size)
        self._begin(layer, 0)

    def _begin(self, layer: int, slot: int) -> None:
        """Write the shared keys and values of a layer into all slots from ``slot`` on.

        Where a layer has a window, `DynamicCache` holds only the last of them. The others are never seen again.
        """
        if self._shared is None:
            return
        for held, which in ((self._keys, "keys"), (self._values, "values")):
            shared = getattr(self._shared.layers[layer], which)[0].transpose(0, 1)  # (tokens, heads, size)
            if shared.shape[1:] != held[layer].shape[2:]:  # latent attention keeps less than it attends to
                raise Unsupported(f"its cache holds other {which} than it attends to")
            held[layer][slot:, self.shared_length - len(shared) : self.shared_length] = shared

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
