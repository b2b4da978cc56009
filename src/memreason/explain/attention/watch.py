"""Runs a text through a model, and shows an observer the weights of its attention, a few rows at a time.

There are two ways. By the first, the model attends by a function of ours, which computes what its eager attention does,
in blocks; it needs transformers' attention interface, and a mask that says only which tokens are seen. By the second,
the text is read piece by piece through a cache, and the model gives the weights of each piece itself
(`output_attentions`). A model is tested once: its last hidden state must be that of a plain pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from memreason.errors import Unsupported, UserError
from memreason.explain.attention.memory import AT_ONCE
from memreason.explain.attention.text import Text
from memreason.generation.agreement import ERRORS, agree, forget_lengths, out_of_memory
from memreason.kernels.attention_masks import check_options
from memreason.kernels.capped_attention import attention_weights, weighted
from memreason.kernels.patching import EAGER, attention_implementation

_NAME = "memreason_watched"
_PIECE = 64
"""By the second way, so many tokens are read at once."""


class Observer(Protocol):
    """What is done with the weights. ``layer`` counts how often the model has attended before."""

    def see(self, layer: int, heads: slice, rows: slice, weights: torch.Tensor) -> None:
        """``weights`` (heads, rows, tokens) are what some ``rows`` take from all tokens, in float32."""

    def end(self, layer: int, rows: slice) -> None:
        """All heads of the layer have been seen for these ``rows``."""


Caches = Callable[[], DynamicCache | None]
"""Makes the trained keys and values before the text (a pass adds to them); None where there are none."""
Seeing = TypeVar("Seeing", bound=Observer)
Run = Callable[[PreTrainedModel, Text, DynamicCache | None, Observer], tuple[torch.Tensor, list[int]]]
"""Runs the text: (hidden state (size,) of the last token, number of the layer for each time that it attended)."""


def watch(
    model: PreTrainedModel, text: Text, cache: Caches, observer: Callable[[], Seeing]
) -> tuple[Seeing, tuple[int, ...]]:
    """An observer that has seen all weights, and the numbers of the layers that attend, in order.

    Raises UserError where the model has no attention weights, or does not give them.
    """
    if model in _WAY:
        seen = observer()
        _, layers = _WAY[model](model, text, cache(), seen)
        return seen, tuple(layers)
    with _reading(model):
        plain = _state(model, text.ids, cache())
    reasons = []
    for way in (_by_interface, _by_pieces, _by_output):
        seen = observer()
        try:
            state, layers = way(model, text, cache(), seen)
        except (Unsupported, *ERRORS) as error:
            if out_of_memory(error):
                raise
            reasons.append(str(error))
            continue
        if layers and agree(model, state[None], plain[None]):
            _WAY[model] = way
            return seen, tuple(layers)
        reasons.append("it computes something else than in a plain pass" if layers else "no layer gives weights")
    raise UserError(
        f"{type(model).__name__} has no attention weights that could be had ({reasons[-1]}); models with state spaces "
        "or linear attention have none. Use --method grad_x_input, which needs only gradients"
    )


_WAY: WeakKeyDictionary[torch.nn.Module, Run] = WeakKeyDictionary()
"""Model → the way that gives its weights."""


# ---- by the attention interface ------------------------------------------------------------------------


class _Watched:
    """One pass: who observes, the number of queries and of keys, and the number of the layer for each time that the
    model has attended."""

    def __init__(self, observer: Observer, shape: tuple[int, int]):
        self.observer, self.shape = observer, shape
        self.layers: list[int] = []


_watched: ContextVar[_Watched] = ContextVar("memreason_watched")


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Eager attention, in blocks: ``query`` (1, heads, tokens, size) → (1, tokens, heads, size of a value)."""
    watched, softcap, sinks = _watched.get(), options.pop("softcap", None), options.pop("s_aux", None)
    options.pop("dropout", None)
    check_options(options)
    tokens, length = query.shape[2], key.shape[2]
    if attention_mask is None:
        seen = torch.ones(1, tokens, length, dtype=torch.bool, device=query.device).tril(length - tokens)
    elif attention_mask.dtype == torch.bool and attention_mask.shape[:2] == (1, 1):
        seen = attention_mask[0]
    else:
        raise Unsupported("a mask of its own")
    if (tokens, length) != watched.shape or seen.shape[1:] != watched.shape:
        raise Unsupported("tokens that are left out")
    layer = len(watched.layers)
    watched.layers.append(getattr(module, "layer_idx", layer))
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    out = query.new_empty(*query.shape[:3], value.shape[-1])
    for heads, rows, weights in attention_weights(query, key, seen, scaling, softcap, sinks, AT_ONCE):
        watched.observer.see(layer, heads, rows, weights[0])
        out[:, heads, rows] = weighted(weights, heads, value, query.shape[1])
    watched.observer.end(layer, slice(0, tokens))
    return out.transpose(1, 2), None


def _mask(**description: Any) -> torch.Tensor:
    """The mask as transformers describes it: (1, 1, tokens, length) bool."""
    description["allow_is_causal_skip"] = False
    return sdpa_mask(**description)


AttentionInterface.register(_NAME, _attend)
AttentionMaskInterface.register(_NAME, _mask)


def _by_interface(
    model: PreTrainedModel, text: Text, cache: DynamicCache | None, observer: Observer
) -> tuple[torch.Tensor, list[int]]:
    watched = _Watched(observer, (len(text.ids), text.before + len(text.ids)))
    token = _watched.set(watched)
    try:
        with attention_implementation(model, _NAME), _reading(model):
            state = _state(model, text.ids, cache)
    finally:
        _watched.reset(token)
    if len(set(watched.layers)) < len(watched.layers):
        raise Unsupported("a layer attends more than once")
    return state, watched.layers


# ---- by what the model gives itself --------------------------------------------------------------------


def _by_pieces(
    model: PreTrainedModel, text: Text, cache: DynamicCache | None, observer: Observer
) -> tuple[torch.Tensor, list[int]]:
    cache = DynamicCache(config=model.config) if cache is None else cache
    return _as_given(model, text, cache, observer, _PIECE)


def _by_output(
    model: PreTrainedModel, text: Text, cache: DynamicCache | None, observer: Observer
) -> tuple[torch.Tensor, list[int]]:
    """The whole text is one piece: for models that do not read on from a cache."""
    return _as_given(model, text, cache, observer, len(text.ids))


def _as_given(
    model: PreTrainedModel, text: Text, cache: DynamicCache | None, observer: Observer, piece: int
) -> tuple[torch.Tensor, list[int]]:
    layers: list[int] = []
    with attention_implementation(model, EAGER), _reading(model):
        for start in range(0, len(text.ids), piece):
            ids = text.ids[start : start + piece]
            out = _run(model, ids, cache, output_attentions=True)
            given = [(layer, one) for layer, one in enumerate(out.attentions or ()) if one is not None]
            layers = [layer for layer, _ in given]
            rows = slice(start, start + len(ids))
            for number, (_, weights) in enumerate(given):
                if weights.shape[0] != 1 or weights.shape[2:] != (len(ids), text.before + rows.stop):
                    raise Unsupported(f"weights of the shape {tuple(weights.shape)}")
                later = len(text.ids) - rows.stop
                observer.see(number, slice(0, weights.shape[1]), rows, functional.pad(weights[0].float(), (0, later)))
                observer.end(number, rows)
    return out[0][0, -1], layers


def _state(model: PreTrainedModel, ids: tuple[int, ...], cache: DynamicCache | None) -> torch.Tensor:
    return _run(model, ids, cache)[0][0, -1]


def _run(model: PreTrainedModel, ids: tuple[int, ...], cache: DynamicCache | None, **options: Any) -> Any:
    """The model without its head: this saves time, and some models compute their last layers only for the tokens whose
    logits are asked for."""
    if cache is not None:
        options["past_key_values"] = cache
    inputs = torch.tensor([ids], device=model.device)
    return model.base_model(input_ids=inputs, use_cache=cache is not None, **options)


@contextmanager
def _reading(model: PreTrainedModel) -> Iterator[None]:
    forget_lengths(model)
    with torch.inference_mode():
        yield
