"""Attention for training on one row of several texts, without padding, in which no text sees another.

Everything that a transformer does for each token alone runs over the row unchanged. Only attention must know where
texts begin and end. It is a function registered with transformers, so any of its decoders runs unchanged. It puts each
text into a line of a grid, with padding on the right, where causal attention does not look. So only windows and chunks
that are shorter than a text need a mask.
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
"""Number of attention weights that are computed at once on a CPU, so few that they stay in its cache."""
_BLOCK = 128
"""Number of queries in a block. Keys after its last query are left out."""


@dataclass
class Documents:
    """Where the texts of one row are: text i is line i of a (texts, longest) grid.

    ``cells`` (tokens,) is the place of each token in the flattened grid; None if all texts are equally long.
    ``attended`` lists the modules that have attended over the row. With ``doubted``, it is checked for each of them
    that its tokens see what `Seen.is_plain` says, and that positions start from 0 in each text.
    """

    lengths: tuple[int, ...]
    cells: torch.Tensor | None
    doubted: bool = False
    attended: list[torch.nn.Module] = field(default_factory=list)

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device, doubted: bool = False) -> Documents:
        """The documents for texts of ``lengths`` tokens, one after another in the row."""
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
        """Number of tokens of the longest text."""
        return max(self.lengths)

    def mask(self, seen: Seen) -> torch.Tensor | None:
        """(longest, longest) bool: whether query i of a text sees its key j; None if each sees all keys up to its own.

        Raises Unsupported for a mask that is not the same for all texts, if the documents are ``doubted``.
        """
        if self.doubted:
            self._prove(seen)
        if seen.is_plain(self.longest):
            return None
        return seen.among(sum(self.lengths[: self.lengths.index(self.longest)]), self.longest)

    def _prove(self, seen: Seen) -> None:
        """Raise Unsupported if the mask is not causal, differs between texts, or depends on the place in the row."""
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
        """The inverse of `spread`: (texts, longest, heads, size) → (tokens, heads, size)."""
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

    transformers finds this function by a name for the whole process. Where the texts are is given to each call of the
    model, as the option ``documents``, which the model passes on to its layers.
    """
    documents, dropout = options.pop("documents", None), options.pop("dropout", 0.0)
    if documents is None:
        raise Unsupported("it does not pass the option documents on to its attention")
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
    """Attention by torch's own function, (tokens, heads, size) each → (tokens, heads, size of a value)."""
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
    """Causal attention as a few products of small matrices. On a CPU, at the lengths of solutions, this is several
    times as fast as fused attention, whose backward pass is slow there.

    The queries of all heads that share keys (a *group*) are one matrix. Its line t · heads + h is the query of head h
    at token t. So one product of matrices is enough for a whole group. The lines are sorted by token, so a block of
    lines needs no keys after the token of its last line.
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
        """``query`` (tokens, heads, size), ``key`` and ``value`` (tokens, groups, size) → (tokens, heads, size of a
        value). ``visible`` (longest, longest) says which keys each query sees; None: all up to its own."""
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
    """The inverse of `_grouped`: (texts × groups, longest × heads of a group, size) → (texts, longest, heads, size)."""
    x = x.view(documents.count, groups, documents.longest, -1, x.shape[-1])
    return x.transpose(1, 2).flatten(2, 3)


def _blocks(q: torch.Tensor, longest: int) -> list[tuple[slice, slice, slice]]:
    """The blocks that are computed one after another, each as slices of: texts × groups, lines of queries, and the keys
    that any of these queries may see."""
    heads = q.shape[1] // longest
    step = max(1, _AT_ONCE // (heads * min(_BLOCK, longest) * longest))
    return [
        (slice(at, at + step), slice(first * heads, (first + _BLOCK) * heads), slice(0, first + _BLOCK))
        for at in range(0, q.shape[0], step)
        for first in range(0, longest, _BLOCK)
    ]


@lru_cache(64)
def _causal(longest: int, heads: int, dtype: torch.dtype) -> torch.Tensor:
    """The causal mask in the form of `_added`."""
    return _added(torch.ones(longest, longest, dtype=torch.bool).tril(), heads, dtype)


def _added(visible: torch.Tensor, heads: int, dtype: torch.dtype) -> torch.Tensor:
    """(longest, longest) bool → a mask (longest × heads of a group, longest) to add to the scores. Each line is
    repeated for every head of a group."""
    mask = torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, -torch.inf)
    return mask.repeat_interleave(heads, 0)


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, mask_of)
