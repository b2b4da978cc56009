"""Linear layers with a copy of the weight in the order in which a CPU multiplies it (*packed*).

PyTorch reorders a weight again for every product. In 16 bits this takes a tenth of a training pass over frozen weights,
and up to half of the time to decode one answer; in float32, a third of the time to decode few answers at once. Here it
is done once, and the copy is kept beside the weight: in bfloat16 in oneDNN's order, in float32 transposed and cut into
panels that are narrow enough for a cache. Results are bit for bit the same; in float32 this holds from 16 rows on,
since for fewer rows PyTorch adds in another order.
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
"""The share of the free memory that the copies may take."""
_ROWS = 1024
"""Number of input rows for which oneDNN chooses its order; the packed weight works with any number."""
_PANEL = 768
"""The most columns of a panel."""

Packed = torch.Tensor | tuple[torch.Tensor, ...]
"""A packed weight (out, in): oneDNN's tensor, or panels (in, part of out)."""


class PackedLinear(nn.Linear):
    """A linear layer with its packed weight. ``back`` is the packed transposed weight, for the gradient of the input;
    None if no gradient is needed, or the weight itself is used for it."""

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
    """y = x Wᵀ + bias, with a gradient only for x."""

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
    """x (…, in) → x Wᵀ + bias (…, out), where ``packed`` is W (out, in) packed by `pack`."""
    if isinstance(packed, torch.Tensor):
        return torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
    widths = [panel.shape[1] for panel in packed]
    out = x.new_empty(*x.shape[:-1], sum(widths))  # not a view, so that a model may write into it (Gemma 3n)
    rows = x.reshape(-1, x.shape[-1])  # (tokens, in)
    for panel, part in zip(packed, out.view(len(rows), -1).split(widths, 1), strict=True):
        torch.mm(rows, panel, out=part)
    if bias is not None:
        out += bias
    return out


def back_through(grad: torch.Tensor, weight: torch.Tensor, back: Packed | None) -> torch.Tensor:
    """``grad`` (…, out) → grad W (…, in), by the packed transposed weight ``back`` if it is not None."""
    return grad @ weight if back is None else times(grad, back)


def pack(weight: torch.Tensor) -> Packed:
    """``weight`` (out, in) in the packed form that `times` takes."""
    if weight.dtype == torch.bfloat16:
        return torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), _ROWS)
    parts = -(-len(weight) // _PANEL)
    return tuple(part.T.contiguous() for part in weight.detach().chunk(parts))


@contextmanager
def packed_weights(model: nn.Module, with_gradients: bool = False) -> Iterator[None]:
    """Within this context, the linear layers of ``model`` also hold their weights packed, if the weights are on a CPU
    and there is enough free memory.

    The weights must not change within the context; so with ``with_gradients`` only frozen ones are packed. Contexts can
    be nested: packed weights of the outer one are not used within the inner one, since weights may have changed.
    """
    linear: list[Any] = [module for module in model.modules() if type(module) in (nn.Linear, PackedLinear)]
    layers = [layer for layer in linear if _is_suited(layer.weight)]
    layers = [layer for layer in layers if not (with_gradients and layer.weight.requires_grad)]
    needed = sum(layer.weight.nbytes * (1 + (with_gradients and _packs_back(layer.weight))) for layer in layers)
    if needed > _SHARE * free_memory():
        logger.info(f"weights are not packed: the copies would take {needed / 1e9:.1f} GB, too much of the free memory")
        layers = []
    with replaced((layer, {"__class__": nn.Linear}) for layer in linear):
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # PyTorch uses one thread to transpose
            packed = list(pool.map(partial(_as_packed, with_gradients=with_gradients), layers))
        with replaced(zip(layers, packed, strict=True)):
            yield


def _as_packed(layer: nn.Linear, with_gradients: bool) -> dict[str, Any]:
    """The attributes that make a layer a `PackedLinear`."""
    back = pack(layer.weight.T) if with_gradients and _packs_back(layer.weight) else None
    return {"packed": pack(layer.weight), "back": back, "__class__": PackedLinear}


def _packs_back(weight: torch.Tensor) -> bool:
    """Whether the gradient of inputs needs a packed copy of its own; a float32 weight is already in the right order."""
    return weight.dtype == torch.bfloat16


def _is_suited(weight: torch.Tensor) -> bool:
    if type(weight) is not nn.Parameter or weight.device.type != "cpu":
        return False
    return weight.dtype == torch.float32 or (weight.dtype == torch.bfloat16 and _works())


@cache
def _works() -> bool:
    """Whether packing in bfloat16 works with this PyTorch and this processor. It uses operations that PyTorch has for
    its own compiler."""
    draws = torch.Generator().manual_seed(0)  # not the global one, whose state must stay as it is
    x, weight = (torch.randn(rows, 64, generator=draws).bfloat16() for rows in (4, 32))
    try:
        return torch.allclose(times(x, pack(weight)), functional.linear(x, weight), rtol=0.02, atol=0.1)
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
