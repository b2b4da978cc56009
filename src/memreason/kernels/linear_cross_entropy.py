"""The loss computed inside the output head, a few tokens at a time, so that no full logits ever exist.

Over a vocabulary of 50,000 the logits of one short batch are larger than all activations of a layer.
Here each portion's logits become its loss and its gradient at once and are dropped. The head stands
in for itself while training: it is given hidden states and returns the loss where the model expects logits, so
that wrappers of the model (several processes, sharded weights) see nothing unusual.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.trainable_tokens.layer import TrainableTokensLayer
from torch import nn
from torch.nn import functional

from memreason.kernels.prepacked_linear import Packed, PackedLinear, back_through, times
from memreason.planning_tokens.layout import IGNORE

_PORTION = 512
"""Tokens whose logits exist at the same time on a CPU; more only take memory."""
_LEAST = torch.finfo(torch.float32).tiny


class _HeadLoss(torch.autograd.Function):
    """Sum of the cross entropies of (tokens, hidden) states against (tokens,) targets; the gradients are
    computed along with it."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        hidden: torch.Tensor,
        targets: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        rows: torch.Tensor | None,
        index: torch.Tensor | None,
        smoothing: float,
        portion: int,
        packed: tuple[Packed, Packed | None] | None,
    ) -> torch.Tensor:
        total = hidden.new_zeros((), dtype=torch.float32)
        by_hidden = torch.zeros_like(hidden)
        by_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[2] else None
        by_bias = torch.zeros_like(bias, dtype=torch.float32) if bias is not None and ctx.needs_input_grad[3] else None
        by_rows = torch.zeros_like(rows, dtype=torch.float32) if rows is not None else None
        low_rows = rows.to(hidden.dtype) if rows is not None else None
        for at in range(0, len(hidden), portion):
            some, target = hidden[at : at + portion], targets[at : at + portion]
            logits = times(some, packed[0], bias) if packed else functional.linear(some, weight, bias)
            if low_rows is not None:
                of_new = some @ low_rows.T
                logits[:, index] = of_new if bias is None else of_new + bias[index]
            in_place = logits if logits.dtype == torch.float32 else None  # a second matrix would have to be cleared
            by_logits = torch.softmax(logits, -1, dtype=torch.float32, out=in_place)
            here = torch.arange(len(target), device=target.device)
            total -= (1 - smoothing) * by_logits[here, target].clamp(min=_LEAST).log().sum()
            if smoothing:
                total -= smoothing * by_logits.clamp(min=_LEAST).log().mean(-1).sum()
                by_logits -= smoothing / by_logits.shape[-1]
            by_logits[here, target] -= 1 - smoothing
            by_logits = by_logits.to(hidden.dtype)
            if by_bias is not None:
                by_bias += by_logits.sum(0)
            if by_rows is not None and low_rows is not None:
                of_new = by_logits[:, index]
                by_rows += of_new.T @ some
                by_logits[:, index] = 0
                by_hidden[at : at + portion] = of_new @ low_rows
            by_hidden[at : at + portion] += back_through(by_logits, weight, packed and packed[1])
            if by_weight is not None:
                by_weight += by_logits.T @ some
        ctx.save_for_backward(by_hidden, by_weight, by_bias, by_rows)
        ctx.dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        by_hidden, by_weight, by_bias, by_rows = (None if x is None else x * grad for x in ctx.saved_tensors)
        by_weight, by_bias = (None if x is None else x.to(ctx.dtype) for x in (by_weight, by_bias))
        return by_hidden, None, by_weight, by_bias, by_rows, None, None, None, None


class LossHead:
    """A model's output head, which for a while returns the loss instead of logits."""

    def __init__(self, model: nn.Module, label_smoothing: float = 0.0):
        self.head: Any = model.get_output_embeddings()  # type: ignore[operator]
        self.label_smoothing = label_smoothing

    @contextmanager
    def against(self, targets: torch.Tensor) -> Iterator[None]:
        """Within, the head takes (…, hidden) states to the summed loss against ``targets``, of the same shape
        but for the last dimension."""
        layer, _ = self._layers()
        # The linear layer itself must be called: sharded weights are put together for that call only.
        layer.forward = lambda hidden: self._loss(hidden, targets)
        if layer is not self.head:
            self.head.forward = lambda hidden: layer(hidden)
        try:
            yield
        finally:
            del layer.forward
            if layer is not self.head:
                del self.head.forward

    @property
    def is_known(self) -> bool:
        """Whether the head is one that this module understands: a linear layer, or one with PEFT's trained rows."""
        return type(self._layers()[0]) is nn.Linear

    def _layers(self) -> tuple[Any, TrainableTokensLayer | None]:
        """The linear layer itself, and PEFT's layer around it that holds the trained rows."""
        adapter = getattr(self.head, "token_adapter", self.head)
        if isinstance(adapter, TrainableTokensLayer):
            return adapter.base_layer, adapter
        return self.head, None

    def _loss(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        layer, adapter = self._layers()
        rows = index = None
        if adapter is not None:
            name = adapter.active_adapters[0]
            rows = adapter.trainable_tokens_delta[name]
            index = torch.tensor(adapter.token_indices[name], device=hidden.device)
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else layer.weight.dtype
        weight, bias = (None if x is None else x.to(dtype) for x in (layer.weight, getattr(layer, "bias", None)))
        portion = _PORTION if device == "cpu" else 4 * _PORTION
        counted = targets != IGNORE
        flat = hidden[counted].to(dtype)
        packed = (layer.packed, layer.back) if isinstance(layer, PackedLinear) and dtype == layer.weight.dtype else None
        return _HeadLoss.apply(flat, targets[counted], weight, bias, rows, index, self.label_smoothing, portion, packed)
