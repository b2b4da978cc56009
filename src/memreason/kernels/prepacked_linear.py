"""Linear layers whose weights lie in the order in which a CPU multiplies them.

PyTorch lays a weight out anew for every product: in 16 bits a tenth of a training pass over frozen weights, and up to
half of decoding one answer; in float32 a third of decoding few answers at once. Here it is done once, beside the
weight itself: in bfloat16 as oneDNN wants it, in float32 transposed, in panels that are narrow enough for a cache.
Results are the same bit for bit, in float32 from 16 rows on (below, PyTorch adds in another order).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from memreason.kernels.patching import replaced
from memreason.runtime.allocator import free_memory

logger = logging.getLogger(__name__)

_SHARE = 0.25
"""How much of the memory that is free the copies may take."""
_ROWS = 1024
"""Rows of input that oneDNN's layout is asked for; it serves any number."""
_PANEL = 768
"""Columns of a panel, at most."""

Packed = torch.Tensor | tuple[torch.Tensor, ...]
"""A packed weight (out, in): oneDNN's tensor, or panels (in, some of out)."""


class PackedLinear(nn.Linear):
    """A linear layer with its weight packed beside it. ``back`` is the transposed weight's, for the gradient of
    inputs, or None where none is wanted or the weight itself will do."""

    packed: Packed
    back: Packed | None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As the stock layer's: x (…, in) → (…, out)."""
        if x.dtype != self.weight.dtype or torch.is_autocast_enabled("cpu"):
            return functional.linear(x, self.weight, self.bias)
        if not (torch.is_grad_enabled() and x.requires_grad):
            return times(x, self.packed, self.bias)
        if self.weight.requires_grad:
            return functional.linear(x, self.weight, self.bias)
        return _Frozen.apply(x, self.weight, self.packed, self.back, self.bias)


class _Frozen(torch.autograd.Function):
    """y = x Wᵀ + bias, with a gradient for x only."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, packed: Packed, back: Packed | None, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.weight, ctx.back = weight, back
        return times(x, packed, bias)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        return back_through(grad, ctx.weight, ctx.back), None, None, None, None


def times(x: torch.Tensor, packed: Packed, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x (…, in) → x Wᵀ + bias (…, out), where ``packed`` is W (out, in), by `pack`."""
    if isinstance(packed, torch.Tensor):
        return torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
    widths = [panel.shape[1] for panel in packed]
    out = x.new_empty(*x.shape[:-1], sum(widths))  # no view, so that a model may write into it (Gemma 3n)
    rows = x.reshape(-1, x.shape[-1])  # (tokens, in)
    for panel, part in zip(packed, out.view(len(rows), -1).split(widths, 1), strict=True):
        torch.mm(rows, panel, out=part)
    if bias is not None:
        out += bias
    return out


def back_through(grad: torch.Tensor, weight: torch.Tensor, back: Packed | None) -> torch.Tensor:
    """``grad`` (…, out) → grad W (…, in), with the transposed weight packed where there is such."""
    return grad @ weight if back is None else times(grad, back)


def pack(weight: torch.Tensor) -> Packed:
    """``weight`` (out, in) as `times` takes it."""
    if weight.dtype == torch.bfloat16:
        return torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), _ROWS)
    parts = -(-len(weight) // _PANEL)
    return tuple(part.T.contiguous() for part in weight.detach().chunk(parts))


@contextmanager
def packed_weights(model: nn.Module, with_gradients: bool = False) -> Iterator[None]:
    """Within, ``model``'s linear layers hold their weights packed too, as they are now, where that is of use:
    on a CPU, and where there is memory for it.

    Weights must not change within, so with ``with_gradients`` only frozen ones are packed. Where this is within
    another such context, whose packed weights may be others, those rest until it is over.
    """
    linear: list[Any] = [module for module in model.modules() if type(module) in (nn.Linear, PackedLinear)]
    layers = [layer for layer in linear if _is_suited(layer.weight)]
    layers = [layer for layer in layers if not (with_gradients and layer.weight.requires_grad)]
    needed = sum(layer.weight.nbytes * (1 + (with_gradients and _packs_back(layer.weight))) for layer in layers)
    if needed > _SHARE * free_memory():
        logger.info(f"weights are not packed: {needed / 1e9:.1f} GB of copies are too much for the free memory")
        layers = []
    with replaced((layer, {"__class__": nn.Linear}) for layer in linear):
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # PyTorch transposes by one thread
            packed = list(pool.map(partial(_as_packed, with_gradients=with_gradients), layers))
        with replaced(zip(layers, packed, strict=True)):
            yield


def _as_packed(layer: nn.Linear, with_gradients: bool) -> dict[str, Any]:
    """The attributes that make a layer a `PackedLinear`."""
    back = pack(layer.weight.T) if with_gradients and _packs_back(layer.weight) else None
    return {"packed": pack(layer.weight), "back": back, "__class__": PackedLinear}


def _packs_back(weight: torch.Tensor) -> bool:
    """Whether the gradient of inputs wants a copy of its own; a float32 weight lies right for it as it is."""
    return weight.dtype == torch.bfloat16


def _is_suited(weight: torch.Tensor) -> bool:
    if type(weight) is not nn.Parameter or weight.device.type != "cpu":
        return False
    return weight.dtype == torch.float32 or (weight.dtype == torch.bfloat16 and _works())


@cache
def _works() -> bool:
    """Whether this PyTorch and this processor do it in bfloat16; the operations are PyTorch's own, for its compiler."""
    draws = torch.Generator().manual_seed(0)  # of its own: whoever has set a seed goes on from there
    x, weight = (torch.randn(rows, 64, generator=draws).bfloat16() for rows in (4, 32))
    try:
        return torch.allclose(times(x, pack(weight)), functional.linear(x, weight), rtol=0.02, atol=0.1)
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
