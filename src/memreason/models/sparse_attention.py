"""Sparse attention: later steps see earlier ones only through their planning tokens.

Each token sees the question, its own step so far, and the planning tokens of the earlier steps; it does not see
the texts of those steps. This is an ablation in the code of the planning-token paper (arXiv 2310.05707). That code
changes two models, hides the question too, and lets planning tokens see everything (`config.ablations.ALL`).

Here it is a mask, which a hook puts in front of the decoder of any model. It is the same in training and in
generation with a cache. It is combined with transformers' own masks for causality, padding and sliding windows, and
works with each kind of attention (eager, sdpa, flex).

The saved weights are those of a model with dense attention: other programs that load a checkpoint, or a merged model,
use dense attention.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.masking_utils import create_masks_for_generate

from memreason.config.ablations import ALL, STEP
from memreason.errors import UserError
from memreason.kernels.patching import attention_in_use

_IDS = "memreason_ids"
"""Name of the attribute of a cache that holds the ids of the tokens in it."""


class SparseAttention:
    """Forward pre-hook of a decoder that replaces its attention mask by the sparse one.

    ``planning_ids`` are the ids of the planning tokens; ``planning_sees`` is `config.ablations.STEP` or
    `config.ablations.ALL`. The ids alone decide which step a position belongs to: a step begins with the first of
    several planning tokens in a row, and the tokens before the first step are the prompt. A cache carries the ids of
    the tokens in it as an attribute.
    """

    def __init__(self, config: Any, planning_ids: list[int], planning_sees: str = STEP):
        self.config = config
        self.planning_ids = torch.tensor(sorted(planning_ids))
        self.planning_sees = planning_sees

    def __call__(
        self, decoder: PreTrainedModel, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """torch calls this before the decoder's forward; it returns the arguments with the sparse mask in them.

        Raises UserError for a kind of attention that takes no mask.
        """
        kind = attention_in_use(self.config)
        if kind not in ("eager", "sdpa", "flex_attention"):
            raise UserError(f"--use_sparse_attention: the model's attention is {kind}, which takes no mask; use sdpa")
        kwargs |= dict(zip(inspect.signature(decoder.forward).parameters, args, strict=False))
        ids: torch.Tensor = kwargs["input_ids"]
        padding, positions = kwargs.get("attention_mask"), kwargs.get("position_ids")
        cache, use_cache = kwargs.get("past_key_values"), kwargs.get("use_cache")
        starts = positions == 0 if cache is None and padding is None and positions is not None else None
        if cache is None and (self.config.use_cache if use_cache is None else use_cache):
            cache = kwargs["past_key_values"] = DynamicCache(config=self.config)  # as the decoder itself would do
        everything = _with_cached(ids, cache)
        visible = self.visible(everything, starts)
        mask = create_masks_for_generate(
            config=self.config,
            inputs_embeds=torch.empty((*ids.shape, 0), dtype=decoder.dtype, device=ids.device),
            # Ones where texts are packed into rows: else transformers would start counting anew at each text.
            attention_mask=padding if starts is None else torch.ones_like(ids),
            past_key_values=cache,
            and_mask_function=visible if kind == "flex_attention" else None,
        )
        if kind != "flex_attention":  # `and_mask_function` would work too, but costs 10 ms in vmap at every call
            rows, length = everything.shape
            at = torch.arange(length, device=ids.device)
            batch = torch.arange(rows, device=ids.device)[:, None, None, None]
            seen = visible(batch, None, at[-ids.shape[1] :, None], at)
            mask = _both(mask, seen)
        kwargs["attention_mask"] = mask
        return (), kwargs

    def visible(self, ids: torch.Tensor, starts: torch.Tensor | None = None) -> Callable[..., torch.Tensor]:
        """A function that says, for ``ids`` (batch, length), whether position q sees position k.

        ``starts`` (batch, length; bool) marks the first token of each text where several texts are packed
        into a row. Tokens of different texts do not see each other.
        """
        planning = torch.isin(ids, self.planning_ids.to(ids.device))
        first = torch.zeros_like(planning) if starts is None else starts
        before = torch.nn.functional.pad(planning, (1, 0))[:, :-1]
        begins = planning & (~before | first)
        step = begins.cumsum(1)  # over the whole row
        # How many steps of the row belong to earlier texts; in the prompt of a text, `step` has the same value.
        earlier = torch.where(first, step - begins.long(), 0).cummax(1).values
        text, prompt, gathers = first.cumsum(1), step == earlier, planning & (self.planning_sees == ALL)

        def mask(batch: torch.Tensor, head: object, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
            seen = prompt[batch, k] | planning[batch, k] | (step[batch, k] == step[batch, q]) | gathers[batch, q]
            return seen & (text[batch, k] == text[batch, q]) & (k <= q)

        return mask


def attend_sparsely(model: PreTrainedModel, planning_ids: list[int], planning_sees: str = STEP) -> None:
    """Give a causal LM, not wrapped by PEFT, sparse attention; if ``planning_sees`` is "", change nothing."""
    if not planning_sees:
        return
    hook = SparseAttention(model.config, planning_ids, planning_sees)
    model.get_decoder().register_forward_pre_hook(hook, with_kwargs=True)


def _both(mask: Any, seen: torch.Tensor) -> Any:
    """The mask that allows only what both ``mask`` (of transformers) and ``seen`` allow.

    ``seen`` is boolean, of shape (batch, 1, queries, keys). ``mask`` is None where it is only causal, boolean for
    sdpa, and added to the scores for eager attention. Where the cache of a sliding window holds only the last keys,
    ``mask`` covers only those. Models with several kinds of layers have a dict of masks.
    """
    if isinstance(mask, dict):
        return {layers: _both(of_layers, seen) for layers, of_layers in mask.items()}
    if mask is None:
        return seen
    seen = seen[..., -mask.shape[-1] :]
    return mask & seen if mask.dtype == torch.bool else mask.masked_fill(~seen, torch.finfo(mask.dtype).min)


def _with_cached(ids: torch.Tensor, cache: Cache | None) -> torch.Tensor:
    """The ids in the cache followed by ``ids``; they are stored in the cache for the next call."""
    if cache is None:
        return ids
    cached = cache.get_seq_length()
    if cached:
        # A text that was read once for all rows of the batch has only one row of ids.
        ids = torch.cat([getattr(cache, _IDS)[:, :cached].expand(len(ids), -1), ids], 1)
    setattr(cache, _IDS, ids)
    return ids
