"""The methods `attention` and `rollout`: sums of attention weights, which are kept for parts of the text, not for pairs
of tokens."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import torch
from transformers import PreTrainedModel

from memreason.errors import UserError
from memreason.explain.attention.base import MOST_MEMORY, SINK, Attribution, Head
from memreason.explain.attention.text import Text
from memreason.explain.attention.watch import Caches, watch

_ROUNDING = 1e-3
"""Weights of a row that sum to less than 1 by more than this leave a part to a sink."""


def attention(
    model: PreTrainedModel, text: Text, cache: Caches, head: Head = None
) -> Attribution:
    """The weights themselves, on average over the tokens of each part. With a ``head``, its weights between tokens too.
    Raises UserError where there is no such head, or the model has no attention weights."""
    device = model.device
    seen, layers = watch(model, text, cache, lambda: _Sums(text, device))
    parts = _Parts(text)
    sums = parts.padded(seen.sums)  # (layers, heads, parts, parts)
    maps, kinds, by_kind = parts.by_span(sums), parts.kinds, parts.by_kind(sums)
    there = ~np.isnan(by_kind[..., 0])  # a layer may have fewer heads than another
    left = 1 - by_kind.sum(-1, keepdims=True)
    if np.nanmax(left) > _ROUNDING:
        kinds, by_kind = [*kinds, SINK], np.concatenate([by_kind, left], -1)
    mass = dict(zip(kinds, by_kind[there].mean(0).tolist(), strict=True))
    found = Attribution(
        "attention", text.trace_id, text.tokens, text.kinds, text.spans, maps[there].mean(0), mass, layers, maps, by_kind
    )
    if head == MOST_MEMORY:
        head = next(((layer, number) for layer, number, _ in found.heads(most=1)), None)
    if head is None:
        return found
    assert not isinstance(head, str)
    layer = _index(head, layers, maps.shape[1])
    one, _ = watch(model, text, cache, lambda: _OneHead(text, layer, head[1]))
    return replace(found, head=head, token_map=one.weights)


def rollout(model: PreTrainedModel, text: Text, cache: Caches, head: Head = None) -> Attribution:
    """Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928, section 3): the mean over heads, mixed half and half
    with the token itself for the residual connection, multiplied through all layers.

    The product is never formed: each layer is applied to sums over the parts of the text. Raises UserError where some
    layers have no attention, and where a ``head`` is asked for.
    """
    return _rolled_out(model, text, cache, head, "rollout")


def rollout_past_start(
    model: PreTrainedModel, text: Text, cache: Caches, head: Head = None
) -> Attribution:
    """`rollout`, but what a token gives to the first token, or to a sink, it keeps. Most models give the first token
    what they have no use for, so that in deep ones plain rollout ends there with all its mass."""
    return _rolled_out(model, text, cache, head, "rollout_past_start")


def _rolled_out(
    model: PreTrainedModel, text: Text, cache: Caches, head: Head, method: str
) -> Attribution:
    if head is not None:
        raise UserError("--layer, --head: rollout is over all layers and heads; leave them out")
    device, start = model.device, text.before if method == "rollout_past_start" else None
    seen, layers = watch(model, text, cache, lambda: _Rollout(text, device, start))
    if len(layers) != (depth := model.config.get_text_config().num_hidden_layers):
        raise UserError(
            f"--method {method}: only {len(layers)} of the {depth} layers of this model give attention weights, so "
            "attention cannot be followed through it; use --method attention"
        )
    parts = _Parts(text)
    shares = parts.sums_of_rows(seen.states[-1].cpu().numpy())
    mass = dict(zip(parts.kinds, parts.by_kind(shares).tolist(), strict=True))
    return Attribution(
        method, text.trace_id, text.tokens, text.kinds, text.spans, parts.by_span(shares), mass, layers
    )


def _index(head: tuple[int, int], layers: tuple[int, ...], heads: int) -> int:
    if head[0] not in layers:
        raise UserError(f"--layer {head[0]}: the layers with attention are {layers[0]} to {layers[-1]}")
    if not 0 <= head[1] < heads:
        raise UserError(f"--head {head[1]}: the heads of a layer are 0 to {heads - 1}")
    return layers.index(head[0])


class _Parts:
    """The text in pieces of one span and one kind each: the least that all sums can be made of."""

    def __init__(self, text: Text):
        spans = [number for number, span in enumerate(text.spans) for _ in range(span.start, span.end)]
        readers = set(text.readers)
        places = [(span, kind, place in readers) for place, (span, kind) in enumerate(zip(spans, text.kinds, strict=True))]
        groups = [(key, len(list(group))) for key, group in groupby(places)]
        self.sizes = np.array([size for _, size in groups])
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)])
        self.kinds = list(dict.fromkeys(kind for (_, kind, _), _ in groups))
        self.of_token = np.repeat(np.arange(len(groups)), self.sizes)
        self._span = np.eye(len(text.spans))[[span for (span, _, _), _ in groups]]  # (parts, spans)
        self._kind = np.eye(len(self.kinds))[[self.kinds.index(kind) for (_, kind, _), _ in groups]]
        self._reads = np.array([float(reads) for (_, _, reads), _ in groups])
        self._has_rows = self.starts[:-1] >= text.before

    def columns(self, device: torch.device) -> torch.Tensor:
        """(tokens, parts): 1 where a token is of a part."""
        return torch.eye(len(self.sizes), device=device)[torch.from_numpy(self.of_token).to(device)]

    def sums_of_rows(self, rows: np.ndarray) -> np.ndarray:
        """(tokens, parts) → (parts, parts)."""
        return np.add.reduceat(rows, self.starts[:-1], axis=0)

    def padded(self, sums: list[torch.Tensor]) -> np.ndarray:
        """One array (layers, heads, parts, parts) of the sums of each layer; NaN for heads that a layer lacks."""
        out = np.full((len(sums), max(map(len, sums)), len(self.sizes), len(self.sizes)), np.nan, np.float32)
        for layer, one in enumerate(sums):
            out[layer, : len(one)] = one.cpu().numpy()
        return out

    def by_span(self, sums: np.ndarray) -> np.ndarray:
        """Sums (…, parts, parts) → means over the tokens of each span (…, spans, spans); NaN in rows of a prefix."""
        counts = self._span.T @ (self.sizes * self._has_rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self._span.T @ sums @ self._span / counts[:, None]).astype(np.float32)

    def by_kind(self, sums: np.ndarray) -> np.ndarray:
        """Sums (…, parts, parts) → means over the readers (…, kinds)."""
        return (self._reads @ sums @ self._kind / (self._reads @ self.sizes)).astype(np.float32)


class _Sums:
    """Adds up the weights between each two parts of the text, for each head: (heads, parts, parts) a layer."""

    def __init__(self, text: Text, device: torch.device):
        parts = _Parts(text)
        self._columns, self._before = parts.columns(device), text.before
        self._of_token = torch.from_numpy(parts.of_token).to(device)
        self._open: list[torch.Tensor] = []
        self.sums: list[torch.Tensor] = []

    def see(self, layer: int, heads: slice, rows: slice, weights: torch.Tensor) -> None:
        """Add them up."""
        if layer == len(self.sums):
            self.sums.append(self._columns.new_zeros(0, *[self._columns.shape[1]] * 2))
        sums = self.sums[layer]
        if heads.stop > len(sums):
            more = sums.new_zeros(heads.stop - len(sums), *sums.shape[1:])
            sums = self.sums[layer] = torch.cat([sums, more])
        own = self._of_token[self._before + rows.start : self._before + rows.stop]
        sums[heads].index_add_(1, own, weights @ self._columns)

    def end(self, layer: int, rows: slice) -> None:
        """Nothing is left to do."""


class _OneHead:
    """Keeps the weights of one head: (tokens, tokens)."""

    def __init__(self, text: Text, layer: int, head: int):
        self._layer, self._head, self._before = layer, head, text.before
        self.weights = np.zeros((len(text.tokens), len(text.tokens)), np.float32)

    def see(self, layer: int, heads: slice, rows: slice, weights: torch.Tensor) -> None:
        """Keep those of the head."""
        if layer == self._layer and heads.start <= self._head < heads.stop:
            own = slice(self._before + rows.start, self._before + rows.stop)
            self.weights[own] = weights[self._head - heads.start].cpu().numpy()

    def end(self, layer: int, rows: slice) -> None:
        """Nothing is left to do."""


class _Rollout:
    """``states`` has (tokens, parts) after each layer: what each token has of the parts of the text. What goes to the
    token number ``start``, if given, stays where it is."""

    def __init__(self, text: Text, device: torch.device, start: int | None):
        self.states, self._before, self._start = [_Parts(text).columns(device)], text.before, start
        self._taken: list[torch.Tensor] = []

    def see(self, layer: int, heads: slice, rows: slice, weights: torch.Tensor) -> None:
        """Add up what the ``rows`` take from the parts by way of each token; in the last columns, from all tokens, and
        how many heads there were."""
        first = self.states[0]
        if layer == len(self._taken):
            self._taken.append(first.new_zeros(len(first), first.shape[1] + 2))
            self.states.append(first.clone())
        own = slice(self._before + rows.start, self._before + rows.stop)
        total = weights.sum(0)
        if self._start is not None:
            total[:, self._start] = 0
        taken = self._taken[layer][own]
        taken[:, :-2] += total @ self.states[layer]
        taken[:, -2] += total.sum(-1)
        taken[:, -1] += len(weights)

    def end(self, layer: int, rows: slice) -> None:
        """Mix it with the token itself."""
        own = slice(self._before + rows.start, self._before + rows.stop)
        taken, before = self._taken[layer][own], self.states[layer][own]
        given, heads = taken[:, -2:-1], taken[:, -1:]
        if self._start is None:  # without what a sink takes, the rest counts as the whole
            heads = given
        self.states[layer + 1][own] = (taken[:, :-2] / heads + before * (2 - given / heads)) / 2
