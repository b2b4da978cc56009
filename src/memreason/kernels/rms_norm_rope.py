"""RMS norms and rotary positions as one function each during training; a model's own code calls ten or more.

With the model's own code, autograd keeps and reads every intermediate result. Here each of the two has its own backward
pass, which computes them again. Random numbers test whether a model's norms and rotation are the usual ones. Where no
gradient is needed, the model's own code runs, so that evaluation during training gives the same as after it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache
from typing import Any

import torch
from torch import nn

from memreason.kernels.patching import Replacement, forward_with, function_of_forward, replaced

logger = logging.getLogger(__name__)

_ROTATION = "apply_rotary_pos_emb"
"""The name, in transformers' model files, of the function that rotates queries and keys."""
_CLOSE: Any = {"rtol": 1e-5, "atol": 1e-5}


@contextmanager
def fused(model: nn.Module) -> Iterator[None]:
    """Within this context, the frozen norms and the rotation of ``model`` compute as one function each.

    ``model`` is the model without PEFT around it.
    """
    norms = [(module, {"forward": _norm_of(module)}) for module in model.modules() if _is_usual_norm(module)]
    attentions = list(_with_rotation(model))
    logger.debug(f"computed as one function: {len(norms)} norms, rotations of {len(attentions)} layers")
    with replaced(norms), replaced(attentions):
        yield


def _with_rotation(model: nn.Module) -> Iterator[Replacement]:
    """Every layer that rotates queries and keys in the usual way, with a forward that uses `_Rotation` for it."""
    for module in model.modules():
        usual = function_of_forward(module, _ROTATION)
        if usual is not None and _is_usual_rotation(usual):
            yield module, {"forward": forward_with(module, _ROTATION, _rotation_or(usual))}


class _Norm(torch.autograd.Function):
    """y = weight · x / √(mean(x²) + ε) over the last dimension, computed in float32, with a gradient only for x."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:  # type: ignore[override]
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        scale = scale.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return torch.mul(x.float(), scale).to(x.dtype).mul_(weight)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        x, weight, scale = ctx.saved_tensors
        # With g = weight · grad and s = 1 / √(mean(x²) + ε): grad_x = s · (g - x · s² · mean(g · x)).
        grad_x, wide = grad.float() * weight, x.float()
        along = torch.linalg.vecdot(grad_x, wide)[..., None].mul_(scale.square().div_(-x.shape[-1]))
        return grad_x.addcmul_(wide, along).mul_(scale).to(x.dtype), None, None


def _norm_of(norm: Any) -> Callable[..., torch.Tensor]:
    """A forward for ``norm`` that uses `_Norm` if a gradient is needed."""
    stock = type(norm).forward

    def forward(x: torch.Tensor, *others: Any, **named: Any) -> torch.Tensor:
        if others or named or x.dtype != norm.weight.dtype or not torch.is_grad_enabled():
            return stock(norm, x, *others, **named)
        return _Norm.apply(x, norm.weight, norm.variance_epsilon)

    return forward


def _is_usual_norm(module: Any) -> bool:
    """Whether a module is a frozen RMS norm that computes what `_Norm` does."""
    kind: Any = type(module)
    if "forward" in vars(module):  # it was already replaced, by accelerate's hooks for example
        return False
    if not kind.__name__.endswith("RMSNorm") or not hasattr(module, "variance_epsilon"):
        return False
    weight = getattr(module, "weight", None)
    return type(weight) is nn.Parameter and not weight.requires_grad and _computes_usually(module)


def _computes_usually(norm: Any) -> bool:
    """Whether a norm computes what `_Norm` does. The test uses random weights, since the norm's own may all be 1."""
    twin = copy(norm)
    draws = torch.Generator().manual_seed(0)  # not the global one, whose state must stay as it is
    weight = torch.empty(len(norm.weight)).uniform_(0.5, 2, generator=draws)
    twin._parameters = {**norm._parameters, "weight": nn.Parameter(weight)}
    # Not around zero, so that a norm that subtracts the mean differs; and partly small, so that another ε differs.
    x = (torch.randn(3, len(weight), generator=draws) + 1) * torch.tensor([[1.0], [1e-2], [1e-3]])
    try:
        return bool(
            torch.allclose(_Norm.apply(x, weight, twin.variance_epsilon), type(norm).forward(twin, x), **_CLOSE)
        )
    except (TypeError, RuntimeError, AttributeError):
        return False


class _Rotation(torch.autograd.Function):
    """(x₁, x₂) → (x₁ c₁ - x₂ s₁, x₂ c₂ + x₁ s₂) for the two halves of the last dimension, of queries and of keys."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.save_for_backward(cos, sin)
        turned = []
        for x in (query, key):
            half = x.shape[-1] // 2
            out = x * cos
            out[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-1)
            out[..., half:].addcmul_(x[..., :half], sin[..., half:])
            turned.append(out)
        return turned[0], turned[1]

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        cos, sin = ctx.saved_tensors
        turned = []
        for grad in grads:
            half = grad.shape[-1] // 2
            out = grad * cos
            out[..., :half].addcmul_(grad[..., half:], sin[..., half:])
            out[..., half:].addcmul_(grad[..., :half], sin[..., :half], value=-1)
            turned.append(out)
        return turned[0], turned[1], None, None


def _rotation_or(usual: Callable[..., Any]) -> Callable[..., Any]:
    """The rotation ``usual``, by `_Rotation` if a gradient is needed and the shapes are those of a decoder."""

    def rotation(
        query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, *args: Any, **kwargs: Any
    ) -> Any:
        alike = query.dtype == key.dtype == cos.dtype and query.shape[-1] == key.shape[-1] == cos.shape[-1]
        alike = alike and cos.dim() == sin.dim() == query.dim() - 1 == 3
        if args or kwargs or not alike or not torch.is_grad_enabled():
            return usual(query, key, cos, sin, *args, **kwargs)
        return _Rotation.apply(query, key, cos[:, None], sin[:, None])

    return rotation


@cache
def _is_usual_rotation(usual: Callable[..., Any]) -> bool:
    """Whether the rotation ``usual`` of a model file computes what `_Rotation` does."""
    draws = torch.Generator().manual_seed(0)
    query, key, angle = (torch.randn(shape, generator=draws) for shape in ((2, 4, 3, 8), (2, 2, 3, 8), (2, 3, 8)))
    cos, sin = angle.cos(), angle.sin()
    try:
        expected = usual(query, key, cos, sin)
        fused = _Rotation.apply(query, key, cos[:, None], sin[:, None])
        return all(torch.allclose(ours, theirs, **_CLOSE) for ours, theirs in zip(fused, expected, strict=True))
    except (TypeError, RuntimeError, ValueError, AttributeError):
        return False
