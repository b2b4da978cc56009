"""PEFT's LoRA layers over frozen linear layers, computed in one piece while training.

The stock layer casts its input to the adapters' float32 (or computes under autocast, which casts at every
call), draws its dropout mask number by number, and keeps several copies of its input for the
backward pass. Here the products are taken in the weights' own data type, the mask comes from a pool of
random bytes, and the backward pass has the input only. Parameters, names and checkpoints are the stock
layer's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from peft.tuners.lora.layer import LoraLayer, ParamWrapper
from torch import nn
from torch.nn import functional

from memreason.kernels.prepacked_linear import Packed, PackedLinear, back_through, times


class LoraBesideFrozen(LoraLinear):
    """A stock LoRA layer that computes as `_FrozenPlusLora` wherever it is a plain one."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As the stock layer's: x (…, in) → (…, out)."""
        if args or kwargs or not _is_plain(self, x):
            return super().forward(x, *args, **kwargs)
        return _beside_frozen(self, x)


class WeightBesideFrozen(ParamWrapper):
    """The same where PEFT was told of a linear layer's weight, not of the layer: it would put the sum of both weights
    in the place of the frozen one at each pass."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As the stock layer's: x (…, in) → (…, out)."""
        if args or kwargs or not _is_plain(self, x):
            return super().forward(x, *args, **kwargs)
        return _beside_frozen(self, x)


def _is_plain(layer: Any, x: torch.Tensor) -> bool:
    base, device = layer.base_layer, x.device.type
    others = layer.disable_adapters or layer.merged or layer.lora_variant
    if others or len(layer.active_adapters) != 1 or base.weight.requires_grad or x.dtype != base.weight.dtype:
        return False
    name = layer.active_adapters[0]
    cast = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) != x.dtype
    return not cast and layer.lora_A[name].bias is None and layer.lora_B[name].bias is None


def _beside_frozen(layer: Any, x: torch.Tensor) -> torch.Tensor:
    base, name = layer.base_layer, layer.active_adapters[0]
    dropout = getattr(layer.lora_dropout[name], "p", 0.0) if layer.training else 0.0
    kept = Kept.draw(x, dropout) if dropout else None
    scaling = layer.scaling[name] / (1 - dropout)
    packed = (base.packed, base.back) if isinstance(base, PackedLinear) else None
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    return _FrozenPlusLora.apply(x, base.weight, base.bias, a, b, scaling, kept, packed)


class _FrozenPlusLora(torch.autograd.Function):
    """y = x Wᵀ + bias + scaling · (kept ∘ x) Aᵀ Bᵀ, with gradients for x, A and B."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scaling: float,
        kept: Kept | None,
        packed: tuple[Packed, Packed | None] | None,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        a, b = a.to(x.dtype), b.to(x.dtype) * scaling
        low = (kept.of(rows) if kept else rows) @ a.T
        out = times(rows, packed[0], bias) if packed else functional.linear(rows, weight, bias)
        out.addmm_(low, b.T)
        ctx.save_for_backward(rows, weight, a, b, low)
        ctx.scaling, ctx.kept, ctx.packed = scaling, kept, packed
        # Not a view: models may write into what a layer returned, which PyTorch forbids for views from in here.
        return torch.ops.aten._unsafe_view(out, [*x.shape[:-1], out.shape[-1]])

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        rows, weight, a, b, low = ctx.saved_tensors
        kept: Kept | None = ctx.kept
        shape, grad = grad.shape[:-1], grad.reshape(-1, grad.shape[-1])
        by_low = grad @ b
        by_b = (low.T @ grad).T.float().mul_(ctx.scaling)  # twice as fast as from the other side
        by_a = (by_low.T @ (kept.of(rows) if kept else rows)).float()
        by_x = None
        if ctx.needs_input_grad[0]:
            by_x = back_through(grad, weight, ctx.packed and ctx.packed[1])
            by_x = by_x.add_(kept.of(by_low @ a)) if kept else by_x.addmm_(by_low, a)
            by_x = by_x.view(*shape, -1)
        return by_x, None, None, by_a, by_b, None, None, None


_LEAST_POOL = 1 << 22
"""Bytes that are drawn at least."""


class _Pool:
    """Random bytes, drawn anew for each forward pass of a model and used from random places on."""

    bytes = torch.empty(0, dtype=torch.uint8)


def refill(device: torch.device, size: int = 0) -> None:
    """Draw new random bytes from torch's generator, as many as before or at least ``size``.

    To be called before each forward pass; one that is repeated (activation checkpointing) finds the same bytes.
    """
    words = -(-max(size, len(_Pool.bytes), _LEAST_POOL) // 8)
    _Pool.bytes = torch.empty(words, dtype=torch.int64, device=device).random_(-(2**63), None).view(torch.uint8)


class Kept(NamedTuple):
    """Which numbers of a matrix dropout keeps: those whose byte in ``bytes`` (rows, columns) is at least ``least``.

    Bytes lie in the pool already, so that nothing else is held for the backward pass.
    """

    bytes: torch.Tensor
    least: int

    @classmethod
    def draw(cls, x: torch.Tensor, dropout: float) -> Kept:
        """For all but the last dimension of ``x`` flattened; each number is kept with probability 1 - ``dropout``.

        Probabilities are multiples of 1/256; which one is drawn anew each time, so that the mean is exact.
        """
        rows = x.reshape(-1, x.shape[-1])
        if 2 * rows.numel() > len(_Pool.bytes) or _Pool.bytes.device != x.device:
            refill(x.device, 4 * rows.numel())
        start = int(torch.randint(len(_Pool.bytes) - rows.numel(), ()))
        threshold = int(dropout * 256 + torch.rand(()).item())
        return cls(_Pool.bytes[start : start + rows.numel()].view(rows.shape), threshold)

    def of(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` (rows, columns) where it is kept, else 0.

        On a CPU, 16-bit numbers are multiplied as integers, which is six times as fast as masking them; and a
        comparison that writes such integers is ten times as fast as one that writes truth values.
        """
        as_integers = x.dtype.itemsize == 2 and x.device.type == "cpu"
        numbers = x.view(torch.int16) if as_integers else x
        kept = torch.ge(self.bytes, self.least, out=torch.empty_like(numbers))
        return kept.mul_(numbers).view(x.dtype)


def use_lora_beside_frozen(model: nn.Module) -> None:
    """Let every plain LoRA layer over a linear one, or over its weight, compute as `LoraBesideFrozen`."""
    for module in model.modules():
        if isinstance(module, LoraLayer) and type(module.base_layer) is nn.Linear:
            if type(module) is LoraLinear:
                module.__class__ = LoraBesideFrozen
            elif type(module) is ParamWrapper and module.parameter_name == "weight":
                module.__class__ = WeightBesideFrozen


def all_beside_frozen(model: nn.Module) -> bool:
    """Whether all adapters compute in their frozen weights' data type, which PEFT's own do for single weights only."""
    own = (LoraBesideFrozen, ParamWrapper)
    return all(isinstance(module, own) for module in model.modules() if isinstance(module, LoraLayer))
