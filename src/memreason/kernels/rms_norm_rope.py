"""RMS norms and rotary positions as one function each while training, where a model's own take ten or more.

Step by step, autograd keeps and reads every number in between; here each has a backward pass of its own that
recomputes them. Whether each of a model's norms and its rotation are the usual ones is tried on random numbers. Without
gradients the model's own run, so that evaluation gives the same in the middle of training as after it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache
from typing import Any

import torch
from torch import nn

logger = logging.getLogger(__name__)

_ROTATION = "apply_rotary_pos_emb"
"""What transformers' model files call the function that rotates queries and keys."""
_CLOSE: Any = {"rtol": 1e-5, "atol": 1e-5}


@contextmanager
def fused(model: nn.Module) -> Iterator[None]:
    """Within, the frozen norms and the rotation of ``model`` (one without PEFT around it) compute as one function."""
    with torch.random.fork_rng(devices=[]):  # whoever has set a seed goes on from there
        norms = [module for module in model.modules() if _is_usual_norm(module)]
    file = sys.modules[type(model).__module__]  # where its layers look for the function by name
    usual: Any = vars(file).get(_ROTATION)
    with torch.random.fork_rng(devices=[]):
        rotates = usual is not None and _is_usual_rotation(usual)
    logger.debug(f"computed as one function: {len(norms)} norms, {'the' if rotates else 'no'} rotation")
    try:
        for norm in norms:
            norm.forward = _norm_of(norm)  # type: ignore[assignment]
        if rotates:
            setattr(file, _ROTATION, _rotation_or(usual))
        yield
    finally:
        for norm in norms:
            vars(norm).pop("forward", None)
        if rotates:
            setattr(file, _ROTATION, usual)


class _Norm(torch.autograd.Function):
    """y = weight · x / √(mean(x²) + ε) over the last dimension, in float32 inside; a gradient for x only."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:  # type: ignore[override]
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        scale = scale.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return torch.mul(x.float(), scale).to(x.dtype).mul_(weight)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        x, weight, scale = ctx.saved_tensors
        by_x, wide = grad.float() * weight, x.float()
        along = torch.linalg.vecdot(by_x, wide)[..., None].mul_(scale.square().div_(-x.shape[-1]))
        return by_x.addcmul_(wide, along).mul_(scale).to(x.dtype), None, None


def _norm_of(norm: Any) -> Callable[..., torch.Tensor]:
    stock = type(norm).forward

    def forward(x: torch.Tensor, *others: Any, **named: Any) -> torch.Tensor:
        if others or named or x.dtype != norm.weight.dtype or not torch.is_grad_enabled():
            return stock(norm, x, *others, **named)
        return _Norm.apply(x, norm.weight, norm.variance_epsilon)

    return forward


def _is_usual_norm(module: Any) -> bool:
    kind: Any = type(module)
    if "forward" in vars(module):  # something was put in its place already, such as accelerate's hooks
        return False
    if not kind.__name__.endswith("RMSNorm") or not hasattr(module, "variance_epsilon"):
        return False
    weight = getattr(module, "weight", None)
    return type(weight) is nn.Parameter and not weight.requires_grad and _computes_usually(module)


def _computes_usually(norm: Any) -> bool:
    """Whether a norm computes what `_Norm` does, on its own settings with other weights: its own may all be one."""
    twin = copy(norm)
    weight = torch.empty(len(norm.weight)).uniform_(0.5, 2)
    twin._parameters = {**norm._parameters, "weight": nn.Parameter(weight)}
    # Off zero, so that a mean that is taken off shows; small, so that what is added to the squares does.
    x = (torch.randn(3, len(weight)) + 1) * torch.tensor([[1.0], [1e-2], [1e-3]])
    try:
        return bool(
            torch.allclose(_Norm.apply(x, weight, twin.variance_epsilon), type(norm).forward(twin, x), **_CLOSE)
        )
    except (TypeError, RuntimeError, AttributeError):
        return False


class _Rotation(torch.autograd.Function):
    """(x₁, x₂) → (x₁ c₁ - x₂ s₁, x₂ c₂ + x₁ s₂), halves of the last dimension, for queries and for keys."""

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
    """Whether a model file's rotation computes what `_Rotation` does."""
    query, key, angle = torch.randn(2, 4, 3, 8), torch.randn(2, 2, 3, 8), torch.randn(2, 3, 8)
    cos, sin = angle.cos(), angle.sin()
    try:
        expected = usual(query, key, cos, sin)
        found = _Rotation.apply(query, key, cos[:, None], sin[:, None])
        return all(torch.allclose(one, other, **_CLOSE) for one, other in zip(found, expected, strict=True))
    except (TypeError, RuntimeError, ValueError, AttributeError):
        return False
