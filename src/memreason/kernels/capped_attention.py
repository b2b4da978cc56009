"""Attention whose scores are capped, or whose weights leave a part to a sink. torch's own function does neither, and
it does not give the weights."""

from __future__ import annotations

from collections.abc import Iterator

import torch

_AT_ONCE = 1 << 22
"""Number of scores that are in memory at once, if a single query of each text does not have more."""


def capped_attention(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    seen: torch.Tensor,
    scaling: float,
    softcap: float | None = None,
    sinks: torch.Tensor | None = None,
) -> torch.Tensor:
    """``query`` (texts, heads, tokens, size), ``keys`` and ``values`` (texts, groups, length, size) → (texts, heads,
    tokens, size of a value). The other arguments are as in `attention_weights`."""
    out = query.new_empty(*query.shape[:3], values.shape[-1])
    for head, now, weights in attention_weights(query, keys, seen, scaling, softcap, sinks):
        out[:, head, now] = weighted(weights, head, values, query.shape[1])
    return out


def attention_weights(
    query: torch.Tensor,
    keys: torch.Tensor,
    seen: torch.Tensor,
    scaling: float,
    softcap: float | None = None,
    sinks: torch.Tensor | None = None,
    at_once: int | None = None,
) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """(heads, tokens, weights) of one block after another: float32 weights (texts, heads of the block, tokens of the
    block, length), for ``query`` (texts, heads, tokens, size) and ``keys`` (texts, groups, length, size). The heads of
    a group share its keys; a block has all heads of a group, or of all groups.

    ``seen`` (texts or 1, tokens, length) bool says which keys each query sees; a query that sees none gets NaN. Scores
    are limited to ±``softcap`` by tanh (Gemma 2, arXiv 2408.00118, section 2). ``sinks`` (heads,) are the scores of one
    more key for each head, whose value is zero (GPT-OSS). A block has at most ``at_once`` weights (default:
    `_AT_ONCE`), if a single query of each text does not have more.
    """
    texts, heads, tokens, _ = query.shape
    groups, length = keys.shape[1:3]
    sinks = query.new_full((heads,), -torch.inf) if sinks is None else sinks
    # On a CPU one group at a time: several of them would have to be copied to be multiplied.
    together = 1 if query.device.type == "cpu" else groups
    share = heads // groups * together
    most = max(1, (at_once or _AT_ONCE) // (texts * share * length))
    hidden = ~seen[:, None]
    for group in range(0, groups, together):
        head = slice(group * (heads // groups), group * (heads // groups) + share)
        key, sink = keys[:, group : group + together].transpose(-1, -2), sinks[head].float()[:, None]
        for first in range(0, tokens, most):
            now = slice(first, min(first + most, tokens))
            grouped = query[:, head, now].reshape(texts, together, -1, query.shape[-1])
            scores = torch.matmul(grouped, key).float().mul_(scaling).view(texts, share, -1, length)
            if softcap is not None:
                scores.div_(softcap).tanh_().mul_(softcap)
            scores.masked_fill_(hidden[:, :, now], -torch.inf)
            left = torch.sigmoid(scores.logsumexp(-1) - sink)  # what the sink does not take
            yield head, now, torch.softmax(scores, -1).mul_(left[..., None])


def weighted(weights: torch.Tensor, heads: slice, values: torch.Tensor, among: int) -> torch.Tensor:
    """The sums of ``values`` (texts, groups, length, size) by the ``weights`` of a block of `attention_weights`, whose
    ``heads`` are some ``among`` all: (texts, heads of the block, tokens of the block, size)."""
    texts, share, _, length = weights.shape
    each = among // values.shape[1]
    some = values[:, heads.start // each : heads.stop // each]
    grouped = weights.to(values.dtype).view(texts, some.shape[1], -1, length)
    return torch.matmul(grouped, some).view(texts, share, -1, values.shape[-1])
