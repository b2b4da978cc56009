"""Attention over slots: each token of one row of tokens belongs to one of many answers under way, and sees that alone.

It is a function registered with transformers, so any of its decoders runs unchanged. Keys and values lie in one
block of memory a layer, a place (*slot*) for each answer. What it does is plain causal attention, and whatever else
a model asks for, by an option or by the mask it wants, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from memreason.errors import Unsupported
from memreason.kernels.attention_in_use import attention_in_use
from memreason.models.sharding import is_sharded

_NAME = "memreason_slots"
_SPARE = 64
"""Tokens by which the slots grow when one is full."""
_OF_THE_PASS = {"dropout", "position_ids", "cache_position", "use_cache", "output_attentions", "output_hidden_states",
                "output_router_logits", "logits_to_keep", "return_dict"}  # fmt: skip
"""Options that reach attention and are none of its own: in evaluation there is no dropout."""
_GRID = 2048
"""Tokens of prompts, padding included, that are attended over at once."""

Prompt = tuple[int, int, int, int]


@dataclass
class Step:
    """What one forward pass reads, for the attention of each layer.

    ``slot`` and ``position`` (tokens) say where each token's keys and values go. The first ``tokens``
    of them belong to answers under way: ``row`` and ``column`` put them into a grid of (slots up to the last in use,
    longest pending), ``mask`` (slots, 1, grouped heads × longest pending, length) says what they see.
    ``prompts`` are (slot, first token, last token + 1, what is in the slot already), one after another.
    """

    slot: torch.Tensor
    position: torch.Tensor
    tokens: int
    row: torch.Tensor
    column: torch.Tensor
    width: int
    length: int
    seen: torch.Tensor
    prompts: list[Prompt]
    mask: torch.Tensor | None = None

    def prompts_together(self) -> list[list[Prompt]]:
        """Prompts that are attended over at once: with the same length in their slots, and not too large a grid."""
        if self._together is None:
            self._together = []
            widest = 0
            for prompt in self.prompts:
                _, start, end, before = prompt
                last = self._together[-1] if self._together else []
                widest = max(widest, end - start)
                if last and last[0][3] == before and (len(last) + 1) * widest <= _GRID:
                    last.append(prompt)
                else:
                    self._together.append([prompt])
                    widest = end - start
        return self._together

    def places(self, capacity: int) -> torch.Tensor:
        """Each token's place (tokens,) among those of all slots together, which hold ``capacity`` each."""
        if self._places is None:
            self._places = self.slot * capacity + self.position
        return self._places

    def cells(self) -> torch.Tensor:
        """The place in the flattened grid of each token of the answers under way."""
        if self._cells is None:
            self._cells = self.row * self.width + self.column
        return self._cells

    _places: torch.Tensor | None = None
    _cells: torch.Tensor | None = None
    _together: list[list[Prompt]] | None = None


class Slots:
    """Keys and values of all answers under way: (slots, capacity, key-value heads, head size) a layer, so that what a
    token adds is one piece of memory."""

    def __init__(self, count: int, shared: DynamicCache | None, longest: int):
        """``shared`` is what stands in all of them at the beginning; no answer gets longer than ``longest`` tokens,
        prompt and ``shared`` included."""
        self.count, self.capacity, self.longest = count, 0, longest
        self.calls = 0
        self.checks_masks = False
        self.keys: dict[int, torch.Tensor] = {}
        self.values: dict[int, torch.Tensor] = {}
        self._shared = shared
        self.step: Step | None = None

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        """Attention of one layer: ``query`` (heads, tokens, size) → (1, tokens, heads, size)."""
        step = self.step
        assert step is not None
        self.calls += 1
        if value.shape != key.shape:
            raise Unsupported("values of another size than keys")
        if layer not in self.keys:
            self._open(layer, key)
        keys, values = self.keys[layer], self.values[layer]
        for held, new in ((keys, key), (values, value)):
            held.flatten(0, 1).index_copy_(0, step.places(self.capacity), new.transpose(0, 1))
        keys, values = keys.transpose(1, 2), values.transpose(1, 2)
        heads, tokens, size = query.shape
        out = query.new_empty(tokens, heads, size)
        if step.tokens:
            out[: step.tokens] = self._continue(step, query[:, : step.tokens], keys, values, scaling)
        for some in step.prompts_together():
            self._begin(some, query, keys, values, scaling, out)
        return out[None]

    def _begin(
        self,
        prompts: list[Prompt],
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        scaling: float | None,
        out: torch.Tensor,
    ) -> None:
        """Write into ``out`` (tokens, heads, size) what a few prompts attend to, each at the left of a line of a grid:
        padding stands to the right, where no token looks."""
        longest, before = max(end - start for _, start, end, _ in prompts), prompts[0][3]
        first, length = prompts[0][1], before + longest
        grid = query[None, :, first : first + longest]
        if len(prompts) > 1:
            grid = query.new_zeros(len(prompts), query.shape[0], longest, query.shape[2])
            for line, (_, start, end, _) in enumerate(prompts):
                grid[line, :, : end - start] = query[:, start:end]
        slots = [slot for slot, *_ in prompts]
        lines = slice(slots[0], slots[0] + 1) if len(slots) == 1 else slots
        mask = None
        if before:
            mask = torch.ones(longest, length, dtype=torch.bool, device=query.device).tril(before)
        found = functional.scaled_dot_product_attention(
            grid, keys[lines, :, :length], values[lines, :, :length],
            attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=True,
        )  # fmt: skip
        for line, (_, start, end, _) in enumerate(prompts):
            out[start:end] = found[line, :, : end - start].transpose(0, 1)

    def _continue(
        self, step: Step, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        """(tokens, heads, size) of the answers under way, as one grid; heads that share keys stand in one group."""
        heads, _, size = query.shape
        rows, width, groups = len(step.seen), step.width, keys.shape[1]
        as_grid = width > 1 or step.tokens < rows
        keys, values = keys[:rows, :, : step.length], values[:rows, :, : step.length]
        if step.mask is None or step.mask.dtype != query.dtype:
            seen = step.seen[:, None].expand(rows, heads // groups, width, step.length)
            step.mask = query.new_zeros(()).expand(seen.shape).masked_fill(~seen, -torch.inf).flatten(1, 2)[:, None]
        grid = query.transpose(0, 1)
        if as_grid:  # what stands where no token is does not matter
            grid = query.new_empty(rows * width, heads, size).index_copy_(0, step.cells(), grid)
        grid = grid.view(rows, width, groups, heads // groups, size).permute(0, 2, 3, 1, 4).flatten(2, 3)
        found = functional.scaled_dot_product_attention(grid, keys, values, attn_mask=step.mask, scale=scaling)
        found = found.unflatten(2, (heads // groups, width)).permute(0, 3, 1, 2, 4).reshape(rows * width, heads, size)
        return found.index_select(0, step.cells()) if as_grid else found

    def _open(self, layer: int, like: torch.Tensor) -> None:
        """Make a layer's slots, with what all prompts share at the beginning of each."""
        groups, _, size = like.shape
        for held, which in ((self.keys, "keys"), (self.values, "values")):
            held[layer] = like.new_zeros(self.count, self.capacity, groups, size)
            if self._shared is not None:
                shared = getattr(self._shared.layers[layer], which)
                held[layer][:, : shared.shape[2]] = shared.transpose(1, 2)

    def move(self, slot: int, to: int, length: int) -> None:
        """Take the ``length`` tokens in a slot over into another one."""
        for held in (self.keys, self.values):
            for block in held.values():
                block[to, :length] = block[slot, :length]

    def make_room(self, length: int) -> None:
        """Let every slot hold ``length`` tokens."""
        if length <= self.capacity:
            return
        more = length + _SPARE - self.capacity
        for held in (self.keys, self.values):
            for layer, block in held.items():
                held[layer] = functional.pad(block, (0, 0, 0, 0, 0, more))
        self.capacity += more


_current: list[Slots] = []


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    slots = _current[-1]
    window = options.pop("sliding_window", None)
    if window is not None and window < slots.longest:
        raise Unsupported(f"sliding_window {window}")
    if attention_mask is not None:
        raise Unsupported("a mask of the model's own")
    for name, given in options.items():
        if given is not None and name not in _OF_THE_PASS and (name, given) != ("is_causal", True):
            raise Unsupported(name)
    return slots.attend(int(module.layer_idx), query[0], key[0], value[0], scaling), None  # type: ignore[arg-type]


def _mask(
    *, mask_function: Callable[..., torch.Tensor], device: torch.device, use_vmap: bool = False, **_: Any
) -> None:
    """No mask: causality is all that there is. Raises Unsupported where a model wants another one, within as many
    tokens as an answer can have."""
    slots = _current[-1]
    if not slots.checks_masks:  # where several answers are in one row, the mask is about places in that row
        return
    longest, few = slots.longest, min(slots.longest, 64)
    options: dict[str, Any] = {"mask_function": mask_function, "use_vmap": use_vmap, "device": device,
                               "allow_is_causal_skip": False}  # fmt: skip
    last = sdpa_mask(1, 1, longest, q_offset=longest - 1, **options)
    first = sdpa_mask(1, few, few, **options)
    if not last.all() or not torch.equal(first, torch.ones_like(first).tril()):
        raise Unsupported(f"its mask hides more than what is to come, within {longest} tokens")


AttentionInterface.register(_NAME, _attend)
AttentionMaskInterface.register(_NAME, _mask)


@contextmanager
def slots_as_attention(model: PreTrainedModel, slots: Slots) -> Iterator[None]:
    """Within, ``model`` attends over ``slots``. Raises Unsupported where it does not let its attention be chosen."""
    usual = attention_in_use(model.config)
    try:
        model.set_attn_implementation(_NAME)
    except ValueError as error:
        raise Unsupported(str(error)) from error
    _current.append(slots)
    try:
        # What sharded weights are gathered into stays for training, so it must be no inference tensor.
        with torch.no_grad() if is_sharded(model) else torch.inference_mode():
            yield
    finally:
        _current.pop()
        model.set_attn_implementation(usual)
