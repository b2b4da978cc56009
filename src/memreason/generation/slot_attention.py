"""Attention over slots: the tokens of one row belong to many answers, and each token sees only its own answer.

It is a function registered with transformers, so any of its decoders runs unchanged. Keys and values are in a
`SlotCache`. It computes plain causal attention; if a model needs anything else, which its options or its mask show,
Unsupported is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from memreason.errors import Unsupported
from memreason.generation.kv_cache import SlotCache
from memreason.kernels.attention_masks import check_options
from memreason.kernels.patching import attention_implementation
from memreason.models.sharding import is_sharded

_NAME = "memreason_slots"
_GRID = 2048
"""The most tokens of prompts, padding included, in one call of attention; a longer prompt has a call of its own."""

Prompt = tuple[int, int, int, int]
"""Slot, first token in the row, last token + 1, and number of tokens that are in the slot already."""


@dataclass
class Step:
    """What one forward pass reads, as the attention of each layer needs it.

    ``slot`` and ``position`` (tokens,) say where the keys and values of each token go. The first ``tokens`` tokens
    belong to answers under way, and after them come the ``prompts``, one after another. ``row`` and ``column``
    (tokens,) are the places of the first ``tokens`` in a grid (slots up to the last in use, ``width``), where ``width``
    is the largest number of pending tokens of an answer. ``seen`` (slots, width, length) says what each place sees.
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
    """``seen`` in the form that is added to scores, (slots, 1, heads of a group × width, length). The first layer makes
    it."""

    def prompts_together(self) -> list[list[Prompt]]:
        """The prompts in groups, one for each call of attention. In a group, the slots hold the same number of tokens
        already, and the padded prompts are not too large."""
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
        """(tokens,) the place of each token, counted through all slots, which hold ``capacity`` tokens each."""
        if self._places is None:
            self._places = self.slot * capacity + self.position
        return self._places

    def cells(self) -> torch.Tensor:
        """(tokens,) the place of each token of the answers under way in the flattened grid."""
        if self._cells is None:
            self._cells = self.row * self.width + self.column
        return self._cells

    _places: torch.Tensor | None = None
    _cells: torch.Tensor | None = None
    _together: list[list[Prompt]] | None = None


class SlotAttention:
    """A model's attention over the slots of a `SlotCache`, one ``step`` after another."""

    def __init__(self, cache: SlotCache, longest: int):
        """``longest`` is the most tokens that a slot can get: shared tokens, prompt and answer together."""
        self.cache, self.longest = cache, longest
        self.step: Step | None = None
        self.calls = 0
        self.checks_masks = False

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        """Attention of one layer: ``query`` (heads, tokens, size) → (1, tokens, heads, size)."""
        step = self.step
        assert step is not None
        self.calls += 1
        if value.shape != key.shape:
            raise Unsupported("values of another size than keys")
        keys, values = self.cache.write(layer, step.places(self.cache.capacity), key, value)
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
        """Compute attention for a few prompts, and write it into ``out`` (tokens, heads, size).

        Each prompt is a line of a grid, with padding on the right, which no token sees. ``query`` is (heads, tokens,
        size), ``keys`` and ``values`` are (slots, groups, capacity, size).
        """
        longest, before = max(end - start for _, start, end, _ in prompts), prompts[0][3]
        first, length = prompts[0][1], before + longest
        grid = query[None, :, first : first + longest]  # (1, heads, longest, size)
        if len(prompts) > 1:
            grid = query.new_zeros(len(prompts), query.shape[0], longest, query.shape[2])
            for line, (_, start, end, _) in enumerate(prompts):
                grid[line, :, : end - start] = query[:, start:end]
        slots = [slot for slot, *_ in prompts]
        lines = slice(slots[0], slots[0] + 1) if len(slots) == 1 else slots
        mask = None
        if before:
            # Token t of a prompt sees what was in its slot before, and the prompt up to token t.
            mask = torch.ones(longest, length, dtype=torch.bool, device=query.device).tril(before)
        attended = functional.scaled_dot_product_attention(
            grid, keys[lines, :, :length], values[lines, :, :length],
            attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=True,
        )  # fmt: skip
        for line, (_, start, end, _) in enumerate(prompts):
            out[start:end] = attended[line, :, : end - start].transpose(0, 1)

    def _continue(
        self, step: Step, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        """Attention for the answers under way, as one grid: ``query`` (heads, tokens, size) → (tokens, heads, size).

        Query heads that share keys (a *group*) are given to the kernel as several queries of one head. So it reads the
        keys and values of a slot once for the whole group, and they need not be repeated in memory for each head.
        """
        heads, _, size = query.shape
        rows, width, groups = len(step.seen), step.width, keys.shape[1]
        as_grid = width > 1 or step.tokens < rows
        keys, values = keys[:rows, :, : step.length], values[:rows, :, : step.length]
        if step.mask is None or step.mask.dtype != query.dtype:
            seen = step.seen[:, None].expand(rows, heads // groups, width, step.length)
            mask = query.new_zeros(()).expand(seen.shape).masked_fill(~seen, -torch.inf)
            step.mask = mask.flatten(1, 2)[:, None]  # (rows, 1, heads of a group × width, length)
        grid = query.transpose(0, 1)
        if as_grid:  # places without a token may hold any numbers
            grid = query.new_empty(rows * width, heads, size).index_copy_(0, step.cells(), grid)
        grid = grid.view(rows, width, groups, heads // groups, size)
        grid = grid.permute(0, 2, 3, 1, 4).flatten(2, 3)  # (rows, groups, heads of a group × width, size)
        attended = functional.scaled_dot_product_attention(grid, keys, values, attn_mask=step.mask, scale=scaling)
        attended = attended.unflatten(2, (heads // groups, width)).permute(0, 3, 1, 2, 4)
        attended = attended.reshape(rows * width, heads, size)
        return attended.index_select(0, step.cells()) if as_grid else attended


_current: ContextVar[SlotAttention] = ContextVar("memreason_slots")
"""The slots that a model attends over in this thread. They are not an argument, because transformers finds the
attention function by a name for the whole process, and not every model passes its own arguments on to it (or to the
function that makes the mask)."""


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    slots = _current.get()
    window = options.pop("sliding_window", None)
    if window is not None and window < slots.longest:
        raise Unsupported(f"sliding_window {window}")
    if attention_mask is not None:
        raise Unsupported("a mask of the model's own")
    options.pop("dropout", None)  # there is none without training
    check_options(options)
    return slots.attend(int(module.layer_idx), query[0], key[0], value[0], scaling), None  # type: ignore[arg-type]


def _mask(
    *, mask_function: Callable[..., torch.Tensor], device: torch.device, use_vmap: bool = False, **_: Any
) -> None:
    """Return no mask, since attention is causal anyway. Raises Unsupported if the model's own mask is not the causal
    one, up to the length that an answer can have."""
    slots = _current.get()
    if not slots.checks_masks:  # with several answers in the row, the model's mask has no meaning
        return
    longest, few = slots.longest, min(slots.longest, 64)
    options: dict[str, Any] = {"mask_function": mask_function, "use_vmap": use_vmap, "device": device,
                               "allow_is_causal_skip": False}  # fmt: skip
    last = sdpa_mask(1, 1, longest, q_offset=longest - 1, **options)
    first = sdpa_mask(1, few, few, **options)
    if not last.all() or not torch.equal(first, torch.ones_like(first).tril()):
        raise Unsupported(f"its mask hides more than the later tokens, within {longest} tokens")


AttentionInterface.register(_NAME, _attend)
AttentionMaskInterface.register(_NAME, _mask)


@contextmanager
def attending_over(model: PreTrainedModel, slots: SlotAttention) -> Iterator[None]:
    """Within this context, and in this thread, ``model`` attends over ``slots``.

    Raises Unsupported if the model does not allow to choose its attention.
    """
    token = _current.set(slots)
    try:
        # Sharded weights are gathered into memory that training uses again, so this must not be an inference tensor.
        with attention_implementation(model, _NAME), torch.no_grad() if is_sharded(model) else torch.inference_mode():
            yield
    finally:
        _current.reset(token)
