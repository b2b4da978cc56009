"""PEFT's LoRA layers over frozen linear layers, computed in one piece while training.

The stock layer casts its input to the adapters' float32 (or computes under autocast, which casts at every
call), draws its dropout mask number by number, and keeps several copies of its input for the
backward pass. Here the products are taken in the weights' own data type, the mask comes from random bytes that all
layers of a model share, and the backward pass has the input only. Parameters, names and checkpoints are the stock
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

_LEAST_POOL = 1 << 22
"""Random bytes that are drawn at least."""


class LoraBesideFrozen(LoraLinear):
    """A stock LoRA layer that computes as `_FrozenPlusLora` wherever it is a plain one."""

    random_bytes: RandomBytes

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As the stock layer's: x (…, in) → (…, out)."""
        if args or kwargs or not _is_plain(self, x):
            return super().forward(x, *args, **kwargs)
        return _beside_frozen(self, x)


class WeightBesideFrozen(ParamWrapper):
    """The same where PEFT was told of a linear layer's weight, not of the layer: it would put the sum of both weights
    in the place of the frozen one at each pass."""

    random_bytes: RandomBytes

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


class _Way(NamedTuple):
    """How a layer computes in one pass: what multiplies the adapter's output, what dropout keeps of the adapter's
    input (None: all), and the frozen weight packed, for inputs and for their gradients."""

    scaling: float
    kept: Kept | None
    packed: tuple[Packed, Packed | None] | None


def _beside_frozen(layer: Any, x: torch.Tensor) -> torch.Tensor:
    base, name = layer.base_layer, layer.active_adapters[0]
    dropout = getattr(layer.lora_dropout[name], "p", 0.0) if layer.training else 0.0
    way = _Way(
        scaling=layer.scaling[name] / (1 - dropout),
        kept=layer.random_bytes.draw(x, dropout) if dropout else None,
        packed=(base.packed, base.back) if isinstance(base, PackedLinear) else None,
    )
    return _FrozenPlusLora.apply(x, base.weight, base.bias, layer.lora_A[name].weight, layer.lora_B[name].weight, way)


class _FrozenPlusLora(torch.autograd.Function):
    """y = x Wᵀ + bias + scaling · (kept ∘ x) Aᵀ Bᵀ, with gradients for x, A and B.

    x (…, in), W (out, in), A (rank, in), B (out, rank) → y (…, out).
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        way: _Way,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])  # (tokens, in)
        a, b = a.to(x.dtype), b.to(x.dtype) * way.scaling
        low = (way.kept.of(rows) if way.kept else rows) @ a.T  # (tokens, rank)
        out = times(rows, way.packed[0], bias) if way.packed else functional.linear(rows, weight, bias)
        out.addmm_(low, b.T)
        ctx.save_for_backward(rows, weight, a, b, low)
        ctx.way = way
        # Not a view: models may write into what a layer returned, which PyTorch forbids for views from in here.
        return torch.ops.aten._unsafe_view(out, [*x.shape[:-1], out.shape[-1]])

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        rows, weight, a, b, low = ctx.saved_tensors
        way: _Way = ctx.way
        shape, grad = grad.shape[:-1], grad.reshape(-1, grad.shape[-1])  # (tokens, out)
        grad_low = grad @ b
        grad_b = (low.T @ grad).T.float().mul_(way.scaling)  # twice as fast as from the other side
        grad_a = (grad_low.T @ (way.kept.of(rows) if way.kept else rows)).float()
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = back_through(grad, weight, way.packed and way.packed[1])
            grad_x = grad_x.add_(way.kept.of(grad_low @ a)) if way.kept else grad_x.addmm_(grad_low, a)
            grad_x = grad_x.view(*shape, -1)
        return grad_x, None, None, grad_a, grad_b, None


class RandomBytes:
    """One model's random bytes for dropout: drawn anew for each forward pass, and used from random places on.

    They are bound to the model and not to the thread: a pass that is repeated by activation checkpointing runs in a
    thread of autograd's on a GPU, and must find the same bytes. They come from torch's generator, which a seed sets and
    a checkpoint keeps for the whole process.
    """

    def __init__(self) -> None:
        self._bytes = torch.empty(0, dtype=torch.uint8)

    def refill(self, device: torch.device, size: int = 0) -> None:
        """Draw new ones, as many as before or at least ``size``; to be called before each forward pass."""
        words = -(-max(size, len(self._bytes), _LEAST_POOL) // 8)
        self._bytes = torch.empty(words, dtype=torch.int64, device=device).random_(-(2**63), None).view(torch.uint8)

    def draw(self, x: torch.Tensor, dropout: float) -> Kept:
        """What is kept of ``x`` (…, columns), all but the last dimension flattened: each number with probability
        1 - ``dropout``.

        Probabilities are multiples of 1/256; which one is drawn anew each time, so that the mean is exact.
        """
        rows = x.reshape(-1, x.shape[-1])
        if 2 * rows.numel() > len(self._bytes) or self._bytes.device != x.device:
            self.refill(x.device, 4 * rows.numel())
        start = int(torch.randint(len(self._bytes) - rows.numel(), ()))
        threshold = int(dropout * 256 + torch.rand(()).item())
        return Kept(self._bytes[start : start + rows.numel()].view(rows.shape), threshold)


class Kept(NamedTuple):
    """Which numbers of a matrix dropout keeps: those whose byte in ``bytes`` (rows, columns) is at least ``least``.

    The bytes are a part of a model's `RandomBytes`, so that nothing else is held for the backward pass.
    """

    bytes: torch.Tensor
    least: int

    def of(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` (rows, columns) where it is kept, else 0.

        On a CPU, 16-bit numbers are multiplied as integers, which is six times as fast as masking them; and a
        comparison that writes such integers is ten times as fast as one that writes truth values.
        """
        as_integers = x.dtype.itemsize == 2 and x.device.type == "cpu"
        numbers = x.view(torch.int16) if as_integers else x
        kept = torch.ge(self.bytes, self.least, out=torch.empty_like(numbers))
        return kept.mul_(numbers).view(x.dtype)


def use_lora_beside_frozen(model: nn.Module) -> RandomBytes:
    """Let every plain LoRA layer over a linear one, or over its weight, compute as `LoraBesideFrozen` from now on.

    Returns the random bytes that all of them share.
    """
    random_bytes = RandomBytes()
    for module in model.modules():
        if isinstance(module, LoraLayer) and type(module.base_layer) is nn.Linear:
            if type(module) is LoraLinear:
                module.__class__ = LoraBesideFrozen
            elif type(module) is ParamWrapper and module.parameter_name == "weight":
                module.__class__ = WeightBesideFrozen
            else:
                continue
            module.random_bytes = random_bytes
    return random_bytes


def random_bytes_of(model: nn.Module) -> RandomBytes | None:
    """The random bytes that ``model``'s adapters share; None where none of them computes as `LoraBesideFrozen`."""
    own = (module for module in model.modules() if isinstance(module, LoraBesideFrozen | WeightBesideFrozen))
    return next((module.random_bytes for module in own), None)


def all_beside_frozen(model: nn.Module) -> bool:
    """Whether all adapters compute in their frozen weights' data type, which PEFT's own do for single weights only."""
    own = (LoraBesideFrozen, ParamWrapper)
    return all(isinstance(module, own) for module in model.modules() if isinstance(module, LoraLayer))
