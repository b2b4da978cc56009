"""Whether two ways of computing the same logits agree, apart from rounding."""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel

_EXACT, _SAME, _ROUNDED = 1e-4, 0.005, 0.2
"""Allowed differences of logits, relative to their spread: in float32; in 16 bits or quantized after passes of the same
shape; and there after other passes. Rounding alone causes about 1e-6, 0 and (30 layers in bfloat16) 0.05."""
ERRORS = (RuntimeError, TypeError, ValueError, AttributeError, LookupError, NotImplementedError, AssertionError)
"""What a model may raise when it is used in a way for which it was not made."""


def agree(model: PreTrainedModel, logits: torch.Tensor, wanted: torch.Tensor, exactly: bool = False) -> bool:
    """Whether ``logits`` (positions, vocabulary) of ``model`` are the same as ``wanted``, apart from rounding.

    In float32 they must be so at every position; in 16 bits at most positions, since there rounding can send a token to
    another expert of a mixture. ``exactly``: both come from passes of the same shape, so hardly any rounding is
    allowed.
    """
    wanted = wanted.float()
    spread = (wanted - wanted.mean(-1, keepdim=True)).square().mean(-1).sqrt()
    apart = (logits.float() - wanted).square().mean(-1).sqrt() / spread.clamp_min(1e-20)
    if is_exact(model):
        return bool((apart <= _EXACT).all())
    return bool(apart.median() <= (_SAME if exactly else _ROUNDED))


def is_exact(model: PreTrainedModel) -> bool:
    """Whether ``model`` computes in float32, where rounding changes hardly anything."""
    return model.dtype == torch.float32 and not getattr(model, "is_quantized", False)


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says only that memory ran out, and nothing about the model."""
    return isinstance(error, torch.OutOfMemoryError) or "alloc" in str(error)


@torch.no_grad()
def turns_with_length(model: nn.Module, longest: int) -> bool:
    """Whether rotary positions depend on the length of the longest text, up to ``longest`` tokens (dynamic NTK,
    LongRoPE). Then texts that are read together change each other."""
    for module, kinds in _rotary(model):
        for kind in kinds:
            near = torch.arange(2, device=_device(module))[None]
            far = torch.cat([near, near.new_full((1, 1), max(longest - 1, 1))], 1)
            alone, beside = (_turn(module, at, kind)[:, :2] for at in (near, far))
            _turn(module, near, kind)
            if not torch.equal(alone, beside):
                return True
    return False


@torch.no_grad()
def forget_lengths(model: nn.Module) -> None:
    """Reset rotary positions to what they were before any text was read: dynamic ones remember the longest text."""
    for module, kinds in _rotary(model):
        for kind in kinds:
            _turn(module, torch.zeros(1, 1, dtype=torch.long, device=_device(module)), kind)


def _rotary(model: nn.Module) -> list[tuple[nn.Module, list[str | None]]]:
    """The modules of rotary positions that depend on the length of a text, each with the kinds of layers that it is for
    (None: all layers)."""
    dynamic: list[tuple[nn.Module, list[str | None]]] = []
    for module in model.modules():
        types = getattr(module, "rope_type", None)
        by_layer = types if isinstance(types, dict) else {None: types}
        kinds = [kind for kind, type_ in by_layer.items() if "dynamic" in str(type_) or type_ == "longrope"]
        dynamic += [(module, kinds)] if kinds else []
    return dynamic


def _device(module: nn.Module) -> torch.device:
    return next(module.buffers()).device


def _turn(module: nn.Module, positions: torch.Tensor, kind: str | None) -> torch.Tensor:
    """The cosines of ``positions`` (1, tokens); of some models, complex numbers instead."""
    like = torch.zeros((), device=positions.device)
    turns = module(like, positions, kind) if kind else module(like, positions)
    return turns[0] if isinstance(turns, tuple) else turns
