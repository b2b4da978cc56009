"""Attention for training on one row of several texts, with no padding and none seeing another.

All that a transformer does token by token runs over the row as it is. Only attention must know where
texts begin and end; it is a function registered with transformers, so any of its decoders runs
unchanged. It lays the texts side by side, each at the left of a line of its own: padding then stands
to the right of what may be seen, and plain causal attention needs no further mask; windows and chunks that
are shorter than a text do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface

from memreason.errors import Unsupported
from memreason.kernels.attention_masks import Seen, mask_of, seen_of
from memreason.runtime.cpu_threads import share_cores

NAME = "memreason_documents"
_AT_ONCE = 1 << 20
"""Attention weights computed at once on a CPU, so that they stay in its cache."""
_BLOCK = 128
"""Queries that are taken together; keys after the last of them are left out."""


@dataclass
class Documents:
    """Where the texts of one row are: text i in line i of a (texts, longest) grid.

    ``cells`` (tokens,) is each token's place in the flattened grid, None where texts are equally long.
    ``attended`` are the modules that have attended over the row. Where ``doubted``, each of them must show that what
    it may see is what `Seen.is_plain` says, and that its texts' places count from 0.
    """

    lengths: tuple[int, ...]
    cells: torch.Tensor | None
    doubted: bool = False
    attended: list[torch.nn.Module] = field(default_factory=list)

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device, doubted: bool = False) -> Documents:
        """Of texts that are ``lengths`` tokens long, one after another."""
        longest = max(lengths)
        if min(lengths) == longest:
            return cls(tuple(lengths), None, doubted)
        cells = torch.tensor([line * longest + i for line, length in enumerate(lengths) for i in range(length)])
        return cls(tuple(lengths), cells.to(device), doubted)

    @property
    def count(self) -> int:
        """How many texts there are."""
        return len(self.lengths)

    @property
    def longest(self) -> int:
        """Tokens of the longest text."""
        return max(self.lengths)

    def mask(self, seen: Seen) -> torch.Tensor | None:
        """(longest, longest) bool: which key each query of a text sees; None where that is all before it."""
        if self.doubted:
            self._prove(seen)
        if seen.is_plain(self.longest):
            return None
        return seen.among(sum(self.lengths[: self.lengths.index(self.longest)]), self.longest)

    def _prove(self, seen: Seen) -> None:
        start, widest = 0, None if seen.is_plain(self.longest) else replace(self, doubted=False).mask(seen)
        if widest is not None and widest.triu(1).any():
            raise Unsupported("attention to what follows")
        for length in self.lengths:
            drawn = seen.among(start, length)
            expected = torch.ones_like(drawn).tril() if widest is None else widest[:length, :length]
            if not torch.equal(drawn, expected):
                raise Unsupported("a mask of its own")
            if start and seen.local_size is not None and seen.among(start - 1, 2)[1, 0]:
                raise Unsupported("windows or chunks that do not begin anew with each text")
            start += length

    def spread(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, heads, size) → (texts, longest, heads, size), zero where there is no token."""
        if self.cells is not None:
            x = x.new_zeros(self.count * self.longest, *x.shape[1:]).index_copy_(0, self.cells, x)
        return x.view(self.count, self.longest, *x.shape[1:])

    def gather(self, x: torch.Tensor) -> torch.Tensor:
        """The way back: (texts, longest, heads, size) → (tokens, heads, size)."""
        x = x.flatten(0, 1)
        return x if self.cells is None else x.index_select(0, self.cells)


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Seen,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """``query`` (1, heads, tokens, size) → (1, tokens, heads, value size); keys and values may have fewer heads.

    transformers knows it by name for the whole process; where the texts are comes with each call, as the option
    ``documents`` that the model was called with and hands on to its layers.
    """
    documents, dropout = options.pop("documents", None), options.pop("dropout", 0.0)
    if documents is None:
        raise Unsupported("the texts' places do not reach its attention")
    mask = documents.mask(seen_of(attention_mask, options))
    if any(x.shape[0] != 1 or x.shape[2] != sum(documents.lengths) for x in (query, key, value)):
        raise Unsupported("attention over something else than the row's tokens")
    documents.attended.append(module)
    share_cores()  # a step may take seconds
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))  # (tokens, heads, size)
    if query.device.type == "cpu" and not dropout:
        return _GroupedAttention.apply(q, k, v, documents, scaling, mask)[None], None
    return _fused_attention(q, k, v, documents, scaling, mask, dropout)[None], None


def _fused_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    documents: Documents,
    scaling: float,
    mask: torch.Tensor | None,
    dropout: float = 0.0,
) -> torch.Tensor:
    """torch's own, (tokens, heads, size) each → (tokens, heads, size of a value)."""
    q, k, v = (documents.spread(x).transpose(1, 2) for x in (query, key, value))  # (texts, heads, longest, size)
    shares = k.shape[1] != q.shape[1]
    if shares and (mask is not None or k.shape[-1] != v.shape[-1]):  # no fast kernel takes both
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
        shares = False
    attended = functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=mask is None, dropout_p=dropout, scale=scaling, enable_gqa=shares
    )
    return documents.gather(attended.transpose(1, 2))


class _GroupedAttention(torch.autograd.Function):
    """Causal attention as a few products of small matrices: on a CPU, at the lengths of solutions, several
    times as fast as fused attention, whose backward pass is slow there.

    Query heads that share keys (a *group*) are one matrix: line t · heads + h of it is head h's query at token t. So
    one product of matrices serves a whole group, queries up to token t are the first lines of it, and the keys that
    they see are the first t: a block of lines needs no keys after its last token.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        documents: Documents,
        scaling: float,
        visible: torch.Tensor | None,
    ) -> torch.Tensor:
        """(tokens, heads, size), twice (tokens, groups, size) → (tokens, heads, size of a value); ``visible`` (longest,
        longest) says which keys each query sees, None: all up to its own."""
        groups, heads = key.shape[1], query.shape[1] // key.shape[1]
        q, k, v = (_grouped(documents.spread(x), groups) for x in (query, key, value))
        if visible is None:
            mask = _causal(documents.longest, heads, query.dtype)
        else:
            mask = _added(visible, heads, query.dtype)
        weights, attended = [], q.new_empty(*q.shape[:2], v.shape[-1])
        for some, lines, seen in _blocks(q, documents.longest):
            scores = torch.baddbmm(mask[lines, seen], q[some, lines], k[some, seen].transpose(1, 2), alpha=scaling)
            weights.append(torch.softmax(scores, -1))
            attended[some, lines] = torch.bmm(weights[-1], v[some, seen])
        ctx.save_for_backward(q, k, v, *weights)
        ctx.documents, ctx.scaling, ctx.groups = documents, scaling, groups
        return documents.gather(_ungrouped(attended, documents, groups))

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        share_cores()
        documents, groups = ctx.documents, ctx.groups
        q, k, v, *weights = ctx.saved_tensors
        grad = _grouped(documents.spread(grad), groups)
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for (some, lines, seen), weight in zip(_blocks(q, documents.longest), weights, strict=True):
            grad_v[some, seen] += torch.bmm(weight.transpose(1, 2), grad[some, lines])
            grad_weight = torch.bmm(grad[some, lines], v[some, seen].transpose(1, 2))
            grad_scores = torch._softmax_backward_data(grad_weight, weight, -1, weight.dtype)
            grad_q[some, lines] = torch.bmm(grad_scores, k[some, seen])
            grad_k[some, seen] += torch.bmm(grad_scores.transpose(1, 2), q[some, lines])
        grads = (grad_q.mul_(ctx.scaling), grad_k.mul_(ctx.scaling), grad_v)
        return (*(documents.gather(_ungrouped(x, documents, groups)) for x in grads), None, None, None)


def _grouped(x: torch.Tensor, groups: int) -> torch.Tensor:
    """(texts, longest, heads, size) → (texts × groups, longest × heads of a group, size)."""
    x = x.unflatten(2, (groups, -1)).transpose(1, 2)  # (texts, groups, longest, heads of a group, size)
    return x.flatten(2, 3).flatten(0, 1)


def _ungrouped(x: torch.Tensor, documents: Documents, groups: int) -> torch.Tensor:
    """The way back of `_grouped`."""
    x = x.view(documents.count, groups, documents.longest, -1, x.shape[-1])
    return x.transpose(1, 2).flatten(2, 3)


def _blocks(q: torch.Tensor, longest: int) -> list[tuple[slice, slice, slice]]:
    """What is computed at once: (texts × groups, lines of queries, the keys that any of them may see)."""
    heads = q.shape[1] // longest
    step = max(1, _AT_ONCE // (heads * min(_BLOCK, longest) * longest))
    return [
        (slice(at, at + step), slice(first * heads, (first + _BLOCK) * heads), slice(0, first + _BLOCK))
        for at in range(0, q.shape[0], step)
        for first in range(0, longest, _BLOCK)
    ]


@lru_cache(64)
def _causal(longest: int, heads: int, dtype: torch.dtype) -> torch.Tensor:
    return _added(torch.ones(longest, longest, dtype=torch.bool).tril(), heads, dtype)


def _added(visible: torch.Tensor, heads: int, dtype: torch.dtype) -> torch.Tensor:
    """(longest, longest) bool → (longest × heads of a group, longest), to be added to the scores: each line stands as
    often as a group has heads."""
    mask = torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, -torch.inf)
    return mask.repeat_interleave(heads, 0)


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, mask_of)
