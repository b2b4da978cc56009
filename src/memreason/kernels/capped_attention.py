"""Attention whose scores are capped, or whose weights leave a part to a sink. torch's own function does neither."""

from __future__ import annotations

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
    tokens, size of a value). The heads of a group share its keys and values.

    ``seen`` (texts or 1, tokens, length) bool says which keys each query sees; a query that sees none gets NaN. Scores
    are limited to ±``softcap`` by tanh (Gemma 2, arXiv 2408.00118, section 2). ``sinks`` (heads,) are the scores of one
    more key for each head, whose value is zero (GPT-OSS).
    """
    texts, heads, tokens, _ = query.shape
    groups, length = keys.shape[1:3]
    out = query.new_empty(texts, heads, tokens, values.shape[-1])
    sinks = query.new_full((heads,), -torch.inf) if sinks is None else sinks
    # On a CPU one group at a time: several of them would have to be copied to be multiplied.
    together = 1 if query.device.type == "cpu" else groups
    share = heads // groups * together
    most = max(1, _AT_ONCE // (texts * share * length))
    hidden = ~seen[:, None]
    for group in range(0, groups, together):
        head, some = slice(group * (heads // groups), group * (heads // groups) + share), slice(group, group + together)
        key, value, sink = keys[:, some].transpose(-1, -2), values[:, some], sinks[head].float()[:, None]
        for first in range(0, tokens, most):
            now = slice(first, first + most)
            grouped = query[:, head, now].reshape(texts, together, -1, query.shape[-1])
            scores = torch.matmul(grouped, key).float().mul_(scaling).view(texts, share, -1, length)
            if softcap is not None:
                scores.div_(softcap).tanh_().mul_(softcap)
            scores.masked_fill_(hidden[:, :, now], -torch.inf)
            left = torch.sigmoid(scores.logsumexp(-1) - sink)  # what the sink does not take
            weights = torch.softmax(scores, -1).mul_(left[..., None]).to(value.dtype)
            out[:, head, now] = torch.matmul(weights.view(texts, together, -1, length), value).view(
                texts, share, -1, value.shape[-1]
            )
    return out
