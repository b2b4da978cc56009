"""Whether two ways of computing the same logits agree, as far as rounding allows."""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel

_EXACT, _SAME, _ROUNDED = 1e-4, 0.005, 0.2
"""How far apart logits may be, relative to how far they spread: in float32, and in 16 bits or quantized, where the same
passes were made, and where others were. Rounding alone makes about 1e-6, 0 and (30 layers in bfloat16) 0.05."""
ERRORS = (RuntimeError, TypeError, ValueError, AttributeError, LookupError, NotImplementedError, AssertionError)
"""What a model raises that is used in a way it was not made for."""


def agree(model: PreTrainedModel, found: torch.Tensor, wanted: torch.Tensor, exactly: bool = False) -> bool:
    """Whether ``found`` (positions, vocabulary), logits of ``model``'s, are ``wanted`` but for rounding.

    In float32 at every position; in 16 bits at most of them, since there rounding can send a token to another expert
    of a mixture. ``exactly``: by passes of the same shape, so that there is hardly any rounding to allow for.
    """
    wanted = wanted.float()
    spread = (wanted - wanted.mean(-1, keepdim=True)).square().mean(-1).sqrt()
    apart = (found.float() - wanted).square().mean(-1).sqrt() / spread.clamp_min(1e-20)
    if is_exact(model):
        return bool((apart <= _EXACT).all())
    return bool(apart.median() <= (_SAME if exactly else _ROUNDED))


def is_exact(model: PreTrainedModel) -> bool:
    """Whether ``model`` computes in float32, so that hardly anything is rounding."""
    return model.dtype == torch.float32 and not getattr(model, "is_quantized", False)


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says nothing about the model, but that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or "alloc" in str(error)


@torch.no_grad()
def turns_with_length(model: nn.Module, longest: int) -> bool:
    """Whether rotary positions of a text of ``longest`` tokens turn short texts' ones otherwise too (dynamic NTK,
    LongRoPE): then texts that are read together change each other."""
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
    """Let rotary positions be what they are before any text was read: dynamic ones remember the longest."""
    for module, kinds in _rotary(model):
        for kind in kinds:
            _turn(module, torch.zeros(1, 1, dtype=torch.long, device=_device(module)), kind)


def _rotary(model: nn.Module) -> list[tuple[nn.Module, list[str | None]]]:
    """Modules of rotary positions that look at the length, with the kinds of layers they serve (None: all)."""
    found: list[tuple[nn.Module, list[str | None]]] = []
    for module in model.modules():
        types = getattr(module, "rope_type", None)
        by_layer = types if isinstance(types, dict) else {None: types}
        kinds = [kind for kind, type_ in by_layer.items() if "dynamic" in str(type_) or type_ == "longrope"]
        found += [(module, kinds)] if kinds else []
    return found


def _device(module: nn.Module) -> torch.device:
    return next(module.buffers()).device


def _turn(module: nn.Module, positions: torch.Tensor, kind: str | None) -> torch.Tensor:
    """The cosines of ``positions`` (1, tokens), or complex numbers in their place."""
    like = torch.zeros((), device=positions.device)
    found = module(like, positions, kind) if kind else module(like, positions)
    return found[0] if isinstance(found, tuple) else found
