"""The methods `attention` and `rollout`: sums of attention weights, which are kept for parts of the text, not for pairs
of tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedModel

from memreason.errors import UserError
from memreason.explain.attention.base import Attribution
from memreason.explain.attention.shares import MOST_MEMORY, SINK, Head
from memreason.explain.attention.text import Text
from memreason.explain.attention.watch import Caches, watch

_ROUNDING = 1e-3
"""Weights of a row that sum to less than 1 by more than this leave a part to a sink."""


def attention(model: PreTrainedModel, text: Text, cache: Caches, head: Head = None) -> Attribution:
    """The weights themselves, on average over the tokens of each part. With a ``head``, its weights between tokens too.
    Raises UserError where there is no such head, or the model has no attention weights."""
    parts = _Parts(text, model.device)
    seen, layers = watch(model, text, cache, lambda: _Means(parts))
    maps, by_kind, kinds = *parts.split(seen.means()), parts.kinds
    there = ~np.isnan(by_kind[..., 0])  # a layer may have fewer heads than another
    left = 1 - by_kind.sum(-1, keepdims=True)
    if np.nanmax(left) > _ROUNDING:
        kinds, by_kind = [*kinds, SINK], np.concatenate([by_kind, left], -1)
    mass = dict(zip(kinds, by_kind[there].mean(0).tolist(), strict=True))
    found = Attribution(
        "attention",
        text.trace_id,
        text.tokens,
        text.kinds,
        text.spans,
        maps[there].mean(0),
        mass,
        layers,
        maps,
        by_kind,
    )
    if head == MOST_MEMORY:
        head = next(((layer, number) for layer, number, _ in found.heads(most=1)), None)
    if head is None:
        return found
    assert not isinstance(head, str)
    layer, number = _index(head, layers, maps.shape[1]), head[1]
    one, _ = watch(model, text, cache, lambda: _OneHead(text, layer, number))
    return replace(found, head=head, token_map=one.weights)


def rollout(model: PreTrainedModel, text: Text, cache: Caches, head: Head = None) -> Attribution:
    """Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928, section 3): the mean over heads, mixed half and half
    with the token itself for the residual connection, multiplied through all layers.

    The product is never formed: each layer is applied to sums over the parts of the text. Raises UserError where some
    layers have no attention, and where a ``head`` is asked for.
    """
    return _rolled_out(model, text, cache, head, "rollout")


def rollout_past_start(model: PreTrainedModel, text: Text, cache: Caches, head: Head = None) -> Attribution:
    """`rollout`, but what a token gives to the first token, or to a sink, it keeps. Most models give the first token
    what they have no use for, so that in deep ones plain rollout ends there with all its mass."""
    return _rolled_out(model, text, cache, head, "rollout_past_start")


def _rolled_out(model: PreTrainedModel, text: Text, cache: Caches, head: Head, method: str) -> Attribution:
    if head is not None:
        raise UserError("--layer, --head: rollout is over all layers and heads; leave them out")
    start = text.before if method == "rollout_past_start" else None
    parts = _Parts(text, model.device)
    seen, layers = watch(model, text, cache, lambda: _Rollout(parts, start))
    if len(layers) != (depth := model.config.get_text_config().num_hidden_layers):
        raise UserError(
            f"--method {method}: only {len(layers)} of the {depth} layers of this model give attention weights, so "
            "attention cannot be followed through it; use --method attention"
        )
    step_map, by_kind = parts.split((parts.rows @ seen.states[-1]).cpu().numpy())
    mass = dict(zip(parts.kinds, by_kind.tolist(), strict=True))
    return Attribution(method, text.trace_id, text.tokens, text.kinds, text.spans, step_map, mass, layers)


def _index(head: tuple[int, int], layers: tuple[int, ...], heads: int) -> int:
    if head[0] not in layers:
        raise UserError(f"--layer {head[0]}: the layers with attention are {layers[0]} to {layers[-1]}")
    if not 0 <= head[1] < heads:
        raise UserError(f"--head {head[1]}: the heads of a layer are 0 to {heads - 1}")
    return layers.index(head[0])


class _Parts:
    """Which tokens are added up. ``columns`` (tokens, spans + kinds): 1 where a token is of a span, and where it is of
    a kind. ``rows`` (spans + 1, tokens) makes means over the tokens of each span, and in the last row over the readers.
    """

    def __init__(self, text: Text, device: torch.device):
        self.before, self.kinds = text.before, list(dict.fromkeys(text.kinds))
        spans = np.repeat(np.arange(len(text.spans)), [span.end - span.start for span in text.spans])
        kinds = np.array([self.kinds.index(kind) for kind in text.kinds])
        of_span, of_kind = np.eye(len(text.spans))[spans], np.eye(len(self.kinds))[kinds]
        readers = np.zeros(len(spans))
        readers[text.readers] = 1
        rows = np.concatenate([of_span.T, readers[None]])
        rows /= rows.sum(1, keepdims=True)
        self.columns = torch.tensor(np.concatenate([of_span, of_kind], 1), dtype=torch.float32, device=device)
        self.rows = torch.tensor(rows, dtype=torch.float32, device=device)
        self._without_rows = [span.end <= text.before for span in text.spans]

    def split(self, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means (…, spans + 1, spans + kinds) → between spans (…, spans, spans), and what readers take from each kind
        (…, kinds). Rows of a trained prefix are NaN."""
        spans = len(self._without_rows)
        step_map = means[..., :spans, :spans].copy()
        step_map[..., self._without_rows, :] = np.nan
        return step_map, means[..., spans, spans:]


class _Means:
    """The mean weights between each two parts of the text, for each head."""

    def __init__(self, parts: _Parts):
        self._parts = parts
        self._sums: list[torch.Tensor] = []
        """(heads, spans + 1, spans + kinds) for each layer."""

    def see(self, layer: int, heads: slice, rows: slice, weights: torch.Tensor) -> None:
        """Add them up."""
        parts = self._parts
        own = parts.rows[:, parts.before + rows.start : parts.before + rows.stop]
        means = own @ (weights @ parts.columns)
        if layer == len(self._sums):
            self._sums.append(means[:0])
        if (more := heads.stop - len(self._sums[layer])) > 0:
            self._sums[layer] = functional.pad(self._sums[layer], (0, 0, 0, 0, 0, more))
        self._sums[layer][heads] += means

    def end(self, layer: int, rows: slice) -> None:
        """Nothing is left to do."""

    def means(self) -> np.ndarray:
        """(layers, heads, spans + 1, spans + kinds), NaN for heads that a layer lacks."""
        most = max(map(len, self._sums))
        padded = [functional.pad(one, (0, 0, 0, 0, 0, most - len(one)), value=torch.nan) for one in self._sums]
        return torch.stack(padded).cpu().numpy()


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

    def __init__(self, parts: _Parts, start: int | None):
        self.states, self._before, self._start = [parts.columns], parts.before, start
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
