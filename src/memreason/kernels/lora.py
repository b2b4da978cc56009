"""PEFT's LoRA layers over frozen linear layers, computed as one function during training.

PEFT's own layer casts its input to the adapters' float32 (or computes under autocast, which casts at every call), draws
its dropout mask number by number, and keeps several copies of its input for the backward pass. Here products are
computed in the data type of the weights, the mask comes from random bytes that all layers of a model share, and only
the input is kept for the backward pass. Parameters, names and checkpoints are those of PEFT's layer.
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
"""The least number of random bytes that are drawn at a time."""


class LoraBesideFrozen(LoraLinear):
    """PEFT's LoRA layer, which computes as `_FrozenPlusLora` if it has no special settings (`_is_plain`)."""

    random_bytes: RandomBytes

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As the stock layer's: x (…, in) → (…, out)."""
        if args or kwargs or not _is_plain(self, x):
            return super().forward(x, *args, **kwargs)
        return _beside_frozen(self, x)


class WeightBesideFrozen(ParamWrapper):
    """The same for an adapter on the weight of a linear layer instead of on the layer. PEFT's own layer would replace
    the frozen weight by the sum of both weights at each pass."""

    random_bytes: RandomBytes

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As the stock layer's: x (…, in) → (…, out)."""
        if args or kwargs or not _is_plain(self, x):
            return super().forward(x, *args, **kwargs)
        return _beside_frozen(self, x)


def _is_plain(layer: Any, x: torch.Tensor) -> bool:
    """Whether `_FrozenPlusLora` computes what this layer does: one active adapter, not merged, without variants or
    biases, over a frozen weight of the input's data type."""
    base, device = layer.base_layer, x.device.type
    others = layer.disable_adapters or layer.merged or layer.lora_variant
    if others or len(layer.active_adapters) != 1 or base.weight.requires_grad or x.dtype != base.weight.dtype:
        return False
    name = layer.active_adapters[0]
    cast = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) != x.dtype
    return not cast and layer.lora_A[name].bias is None and layer.lora_B[name].bias is None


class _Way(NamedTuple):
    """How a layer computes in one pass.

    ``scaling`` multiplies the adapter's output. ``kept`` says what dropout keeps of the adapter's input (None: all).
    ``packed``: the packed frozen weight for the output, and the one for the gradient of the input; None where the
    weight is not packed.
    """

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
        # Not a view: models may write into the output of a layer, and PyTorch forbids this for views made in here.
        return torch.ops.aten._unsafe_view(out, [*x.shape[:-1], out.shape[-1]])

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        rows, weight, a, b, low = ctx.saved_tensors
        way: _Way = ctx.way
        shape, grad = grad.shape[:-1], grad.reshape(-1, grad.shape[-1])  # (tokens, out)
        grad_low = grad @ b
        grad_b = (low.T @ grad).T.float().mul_(way.scaling)  # twice as fast as grad.T @ low
        grad_a = (grad_low.T @ (way.kept.of(rows) if way.kept else rows)).float()
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = back_through(grad, weight, way.packed and way.packed[1])
            grad_x = grad_x.add_(way.kept.of(grad_low @ a)) if way.kept else grad_x.addmm_(grad_low, a)
            grad_x = grad_x.view(*shape, -1)
        return grad_x, None, None, grad_a, grad_b, None


class RandomBytes:
    """The random bytes of one model for dropout. They are drawn again for each forward pass, and each layer uses them
    from a random place on.

    They belong to the model, not to the thread: when activation checkpointing repeats a pass on a GPU, it runs in
    another thread, and must find the same bytes. They come from torch's global generator, which ``seed`` sets and whose
    state a training checkpoint holds.
    """

    def __init__(self) -> None:
        self._bytes = torch.empty(0, dtype=torch.uint8)

    def refill(self, device: torch.device, size: int = 0) -> None:
        """Draw new bytes, as many as before and at least ``size``. To be called before each forward pass."""
        words = -(-max(size, len(self._bytes), _LEAST_POOL) // 8)
        self._bytes = torch.empty(words, dtype=torch.int64, device=device).random_(-(2**63), None).view(torch.uint8)

    def draw(self, x: torch.Tensor, dropout: float) -> Kept:
        """Draw which numbers of ``x`` (…, columns) dropout keeps, each with probability 1 - ``dropout``; of the result,
        all dimensions but the last are flattened.

        In one call, the probability is a multiple of 1/256. It is drawn at random from the two nearest multiples, so
        that its mean is exact.
        """
        rows = x.reshape(-1, x.shape[-1])
        if 2 * rows.numel() > len(self._bytes) or self._bytes.device != x.device:
            self.refill(x.device, 4 * rows.numel())
        start = int(torch.randint(len(self._bytes) - rows.numel(), ()))
        threshold = int(dropout * 256 + torch.rand(()).item())
        return Kept(self._bytes[start : start + rows.numel()].view(rows.shape), threshold)


class Kept(NamedTuple):
    """Which numbers of a matrix dropout keeps: those whose byte in ``bytes`` (rows, columns) is at least ``least``.

    The bytes are a view of the model's `RandomBytes`, so the backward pass needs no memory for a mask.
    """

    bytes: torch.Tensor
    least: int

    def of(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` (rows, columns), with 0 where a number is not kept.

        On a CPU, the bits of 16-bit numbers are multiplied as integers by 0 or 1. This is six times as fast as masking,
        and a comparison that writes such integers is ten times as fast as one that writes truth values.
        """
        as_integers = x.dtype.itemsize == 2 and x.device.type == "cpu"
        numbers = x.view(torch.int16) if as_integers else x
        kept = torch.ge(self.bytes, self.least, out=torch.empty_like(numbers))
        return kept.mul_(numbers).view(x.dtype)


def use_lora_beside_frozen(model: nn.Module) -> RandomBytes:
    """From now on, let every plain LoRA layer over a linear layer compute as `LoraBesideFrozen`, and every one over the
    weight of a linear layer as `WeightBesideFrozen`.

    Returns the random bytes that they share.
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
    """The random bytes that the adapters of ``model`` share; None if `use_lora_beside_frozen` changed none of them."""
    own = (module for module in model.modules() if isinstance(module, LoraBesideFrozen | WeightBesideFrozen))
    return next((module.random_bytes for module in own), None)


def all_beside_frozen(model: nn.Module) -> bool:
    """Whether all adapters compute in the data type of their frozen weights; PEFT's own layers do so only for adapters
    on a single weight (`ParamWrapper`)."""
    own = (LoraBesideFrozen, ParamWrapper)
    return all(isinstance(module, own) for module in model.modules() if isinstance(module, LoraLayer))
