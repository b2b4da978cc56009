"""Attention over slots: the tokens of one row belong to many answers, and each token sees only its own answer.

It is a function registered with transformers, so any of its decoders runs unchanged. Keys and values are in a
`SlotCache`, all of them, also where a layer sees only the last ones. Attention is causal, with what a model's layers
say beside that: which earlier tokens are hidden (windows, chunks; see `slot_masks`), a cap on scores, sinks. If a model
needs anything else, which its options or its mask show, Unsupported is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from memreason.errors import Unsupported
from memreason.generation.kv_cache import SlotCache
from memreason.generation.slot_masks import Masks, checked, described
from memreason.kernels.attention_masks import Seen, check_options
from memreason.kernels.capped_attention import capped_attention
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
    calls: int = 0
    """How many times the model has attended in this pass."""

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

    def seen_by(self, rule: Seen | None) -> torch.Tensor:
        """``seen`` where a layer hides what ``rule`` says."""
        if rule is None:
            return self.seen
        if rule not in self._seen:
            # The last token that a place sees is its own. (A place without a token may see any.)
            positions = self.seen.sum(-1, keepdim=True) - 1
            keys = torch.arange(self.length, device=positions.device)
            self._seen[rule] = self.seen & rule.at(positions, keys)
        return self._seen[rule]

    def added(self, rule: Seen | None, heads: int, dtype: torch.dtype) -> torch.Tensor:
        """`seen_by` in the form that is added to scores, (slots, 1, heads × width, length), for ``heads`` of a
        group."""
        if (rule, heads, dtype) not in self._added:
            seen = self.seen_by(rule)
            seen = seen[:, None].expand(len(seen), heads, self.width, self.length)
            mask = torch.zeros((), dtype=dtype, device=seen.device).expand(seen.shape).masked_fill(~seen, -torch.inf)
            self._added[rule, heads, dtype] = mask.flatten(1, 2)[:, None]
        return self._added[rule, heads, dtype]

    def seen_in_prompts(self, rule: Seen | None, before: int, longest: int) -> torch.Tensor:
        """(longest, before + longest) bool: what each token of a prompt sees, behind ``before`` tokens in its slot."""
        if (rule, before) not in self._prompted:
            widest = max(end - start for _, start, end, there in self.prompts if there == before)
            seen = torch.ones(widest, before + widest, dtype=torch.bool, device=self.seen.device).tril(before)
            if rule is not None:
                keys = torch.arange(before + widest, device=seen.device)
                seen &= rule.at(keys[before:, None], keys)
            self._prompted[rule, before] = seen
        return self._prompted[rule, before][:longest, : before + longest]

    # Each of these is made once for all layers.
    _places: torch.Tensor | None = None
    _cells: torch.Tensor | None = None
    _together: list[list[Prompt]] | None = None
    _seen: dict[Seen, torch.Tensor] = field(default_factory=dict)
    _added: dict[tuple[Seen | None, int, torch.dtype], torch.Tensor] = field(default_factory=dict)
    _prompted: dict[tuple[Seen | None, int], torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Scoring:
    """What a layer does with scores: ``rule`` says which it hides, besides those of tokens that follow."""

    scaling: float | None
    rule: Seen | None = None
    softcap: float | None = None
    sinks: torch.Tensor | None = None

    @property
    def is_capped(self) -> bool:
        """Whether it needs `capped_attention`."""
        return self.softcap is not None or self.sinks is not None

    def attend(self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """`capped_attention` with these scores."""
        scaling = query.shape[-1] ** -0.5 if self.scaling is None else self.scaling
        return capped_attention(query, keys, values, seen, scaling, self.softcap, self.sinks)


class SlotAttention:
    """A model's attention over the slots of a `SlotCache`, one ``step`` after another."""

    def __init__(self, cache: SlotCache, longest: int):
        """``longest`` is the most tokens that a slot can get: shared tokens, prompt and answer together."""
        self.cache, self.longest = cache, longest
        self.masks: Masks | None = None
        """The model's own, which `slot_proof.prove_once` gives. They must be known before the model is used."""
        self.step: Step | None = None
        self.learning: list[Seen | None] | None = None
        """While a model's masks are learned from a pass over one prompt, those of the layers that have attended."""

    def learn(self) -> Masks:
        """End learning: the model's masks, which are used from now on.

        Raises Unsupported if they are not those of causal attention, with windows or the like.
        """
        assert self.step is not None and self.learning is not None
        self.masks, self.learning = checked(self.learning, self.longest, self.step.seen.device), None
        return self.masks

    def rule_of(self, attention_mask: object) -> Seen | None:
        """What the layer that attends next hides, besides what follows; ``attention_mask`` is what the model gave it.

        Raises Unsupported if the model made a mask of its own.
        """
        assert self.step is not None
        if self.learning is not None and (attention_mask is None or isinstance(attention_mask, Seen)):
            self.learning.append(attention_mask)
            return attention_mask
        if attention_mask is not None:
            raise Unsupported("a mask of the model's own")
        assert self.masks is not None, "prove_once gives them"
        return self.masks[self.step.calls]

    def attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scoring: Scoring) -> torch.Tensor:
        """Attention of one layer: ``query`` (heads, tokens, size) → (1, tokens, heads, size of a value).

        What is kept of a layer is found by how many times the model has attended before in this pass.
        """
        step = self.step
        assert step is not None
        keys, values = self.cache.write(step.calls, step.places(self.cache.capacity), key, value)
        step.calls += 1
        heads, tokens, _ = query.shape
        out = query.new_empty(tokens, heads, value.shape[-1])
        if step.tokens:
            out[: step.tokens] = self._continue(step, query[:, : step.tokens], keys, values, scoring)
        for some in step.prompts_together():
            self._begin(step, some, query, keys, values, scoring, out)
        return out[None]

    def _begin(
        self,
        step: Step,
        prompts: list[Prompt],
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        scoring: Scoring,
        out: torch.Tensor,
    ) -> None:
        """Compute attention for a few prompts, and write it into ``out`` (tokens, heads, size of a value).

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
        keys, values = keys[lines, :, :length], values[lines, :, :length]
        mask = None
        if before or scoring.rule or scoring.is_capped:
            mask = step.seen_in_prompts(scoring.rule, before, longest)
        if scoring.is_capped:
            assert mask is not None
            attended = scoring.attend(grid, keys, values, mask[None])
        else:
            attended = functional.scaled_dot_product_attention(
                grid, keys, values, attn_mask=mask, is_causal=mask is None, scale=scoring.scaling, enable_gqa=True
            )
        for line, (_, start, end, _) in enumerate(prompts):
            out[start:end] = attended[line, :, : end - start].transpose(0, 1)

    def _continue(
        self, step: Step, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scoring: Scoring
    ) -> torch.Tensor:
        """Attention for the answers under way, as one grid: ``query`` (heads, tokens, size) → (tokens, heads, size of a
        value).

        Query heads that share keys (a *group*) are given to the kernel as several queries of one head. So it reads the
        keys and values of a slot once for the whole group, and they need not be repeated in memory for each head.
        """
        heads, _, size = query.shape
        rows, width, groups = len(step.seen), step.width, keys.shape[1]
        as_grid = width > 1 or step.tokens < rows
        keys, values = keys[:rows, :, : step.length], values[:rows, :, : step.length]
        grid = query.transpose(0, 1)
        if as_grid:  # places without a token may hold any numbers
            grid = query.new_empty(rows * width, heads, size).index_copy_(0, step.cells(), grid)
        if scoring.is_capped:
            grid = grid.view(rows, width, heads, size).transpose(1, 2)
            attended = scoring.attend(grid, keys, values, step.seen_by(scoring.rule)).transpose(1, 2)
        else:
            grid = grid.view(rows, width, groups, heads // groups, size)
            grid = grid.permute(0, 2, 3, 1, 4).flatten(2, 3)  # (rows, groups, heads of a group × width, size)
            mask = step.added(scoring.rule, heads // groups, query.dtype)
            attended = functional.scaled_dot_product_attention(
                grid, keys, values, attn_mask=mask, scale=scoring.scaling
            )
            attended = attended.unflatten(2, (heads // groups, width)).permute(0, 3, 1, 2, 4)
        attended = attended.reshape(rows * width, heads, values.shape[-1])
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
    attention_mask: object,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    slots, softcap, sinks = _current.get(), options.pop("softcap", None), options.pop("s_aux", None)
    options.pop("dropout", None)  # there is none without training
    check_options(options)
    scoring = Scoring(scaling, slots.rule_of(attention_mask), softcap, sinks)
    return slots.attend(query[0], key[0], value[0], scoring), None


def _mask(**description: Any) -> Seen | None:
    """What transformers says of a mask, while a model's masks are learned; else no mask. Raises Unsupported if it
    cannot be drawn for slots."""
    slots = _current.get()
    # With several answers in the row, the model's mask has no meaning.
    return described(slots.longest, **description) if slots.learning is not None else None


AttentionInterface.register(_NAME, _attend)
AttentionMaskInterface.register(_NAME, _mask)


@contextmanager
def attending_over(model: PreTrainedModel, slots: SlotAttention) -> Iterator[None]:
    """Within this context, and in this thread, ``model`` attends over ``slots``.

    Raises Unsupported if the model does not allow to choose its attention.
    """
    with attending_by_slots(model), reading_into(model, slots):
        yield


def attending_by_slots(model: PreTrainedModel) -> AbstractContextManager[None]:
    """Within this context, ``model`` attends over the slots that `reading_into` names for each pass.

    Raises Unsupported if the model does not allow to choose its attention.
    """
    return attention_implementation(model, _NAME)


@contextmanager
def reading_into(model: PreTrainedModel, slots: SlotAttention) -> Iterator[None]:
    """Within this context, and in this thread, passes read into ``slots``. It is for one pass: between passes, another
    engine may work in the same thread."""
    token = _current.set(slots)
    try:
        # Sharded weights are gathered into memory that training uses again, so this must not be an inference tensor.
        with torch.no_grad() if is_sharded(model) else torch.inference_mode():
            yield
    finally:
        _current.reset(token)
