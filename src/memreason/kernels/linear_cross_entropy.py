"""The loss computed inside the output head, a few tokens at a time, so that the full logits never exist in memory.

With a vocabulary of 50,000, the logits of one short batch are larger than all activations of a layer. Here the logits
of each portion of tokens are turned into a loss and gradients at once, and then freed. For this, the head returns the
loss where the model expects logits. It is still called by the model, so wrappers of the model (for several processes,
or sharded weights) work as usual.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from peft.tuners.trainable_tokens.layer import TrainableTokensLayer
from torch import nn
from torch.nn import functional

from memreason.kernels.patching import Replacement, replaced
from memreason.kernels.prepacked_linear import Packed, PackedLinear, back_through, times
from memreason.planning_tokens.layout import IGNORE

_PORTION = 512
"""Number of tokens whose logits exist at the same time on a CPU. More tokens take more memory and are not faster."""
_LEAST = torch.finfo(torch.float32).tiny


class _Way(NamedTuple):
    """How the loss is computed.

    ``smoothing``: label smoothing. ``portion``: number of tokens at once. ``new_ids`` (n,): the ids whose logits come
    from the trained rows; None for no ids. ``packed``: the packed weight for the logits, and the one for the gradient
    of the hidden states; None where the weight is not packed.
    """

    smoothing: float
    portion: int
    new_ids: torch.Tensor | None
    packed: tuple[Packed, Packed | None] | None


class _HeadLoss(torch.autograd.Function):
    """The sum of the cross entropies of hidden states (tokens, hidden) against targets (tokens,). The forward pass also
    computes the gradients.

    The head has a weight (vocabulary, hidden) and a bias (vocabulary,). ``rows`` (n, hidden) are trained rows that
    replace n rows of the weight.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        hidden: torch.Tensor,
        targets: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        rows: torch.Tensor | None,
        way: _Way,
    ) -> torch.Tensor:
        total, smoothing = hidden.new_zeros((), dtype=torch.float32), way.smoothing
        grad_hidden = torch.zeros_like(hidden)
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[2] else None
        grad_bias = None
        if bias is not None and ctx.needs_input_grad[3]:
            grad_bias = torch.zeros_like(bias, dtype=torch.float32)
        grad_rows = torch.zeros_like(rows, dtype=torch.float32) if rows is not None else None
        low_rows = rows.to(hidden.dtype) if rows is not None else None
        for at in range(0, len(hidden), way.portion):
            some, target = hidden[at : at + way.portion], targets[at : at + way.portion]
            logits = _logits(some, weight, bias, low_rows, way)  # (portion, vocabulary)
            in_place = logits if logits.dtype == torch.float32 else None  # a new matrix would take time to allocate
            grad_logits = torch.softmax(logits, -1, dtype=torch.float32, out=in_place)  # at first, the probabilities
            here = torch.arange(len(target), device=target.device)
            total -= (1 - smoothing) * grad_logits[here, target].clamp(min=_LEAST).log().sum()
            if smoothing:
                total -= smoothing * grad_logits.clamp(min=_LEAST).log().mean(-1).sum()
                grad_logits -= smoothing / grad_logits.shape[-1]
            grad_logits[here, target] -= 1 - smoothing
            grad_logits = grad_logits.to(hidden.dtype)
            if grad_bias is not None:
                grad_bias += grad_logits.sum(0)
            if grad_rows is not None and low_rows is not None:
                grad_new = grad_logits[:, way.new_ids]  # (portion, n)
                grad_rows += grad_new.T @ some
                grad_logits[:, way.new_ids] = 0  # the rows of the weight that are replaced get no gradient
                grad_hidden[at : at + way.portion] = grad_new @ low_rows
            grad_hidden[at : at + way.portion] += back_through(grad_logits, weight, way.packed and way.packed[1])
            if grad_weight is not None:
                grad_weight += grad_logits.T @ some
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias, grad_rows)
        ctx.dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        grad_hidden, grad_weight, grad_bias, grad_rows = (None if x is None else x * grad for x in ctx.saved_tensors)
        grad_weight, grad_bias = (None if x is None else x.to(ctx.dtype) for x in (grad_weight, grad_bias))
        return grad_hidden, None, grad_weight, grad_bias, grad_rows, None


def _logits(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, rows: torch.Tensor | None, way: _Way
) -> torch.Tensor:
    """``hidden`` (tokens, hidden) → logits (tokens, vocabulary); those of ``way.new_ids`` come from ``rows``
    (n, hidden)."""
    logits = times(hidden, way.packed[0], bias) if way.packed else functional.linear(hidden, weight, bias)
    if rows is not None:
        new_logits = hidden @ rows.T  # (tokens, n)
        logits[:, way.new_ids] = new_logits if bias is None else new_logits + bias[way.new_ids]
    return logits


class LossHead:
    """A model's output head, which returns the loss instead of logits within `against`."""

    def __init__(self, model: nn.Module, label_smoothing: float = 0.0):
        self.head: Any = model.get_output_embeddings()  # type: ignore[operator]
        self.label_smoothing = label_smoothing

    @contextmanager
    def against(self, targets: torch.Tensor) -> Iterator[None]:
        """Within this context, the head returns the summed loss of its input (…, hidden) against ``targets`` (…)."""
        layer, _ = self._layers()
        # The linear layer itself must be called: sharded weights are gathered only for this call.
        replacements: list[Replacement] = [(layer, {"forward": lambda hidden: self._loss(hidden, targets)})]
        if layer is not self.head:
            replacements.append((self.head, {"forward": lambda hidden: layer(hidden)}))
        with replaced(replacements):
            yield

    @property
    def is_known(self) -> bool:
        """Whether this module can compute the head: a plain linear layer, or one with PEFT's trained rows around it."""
        return type(self._layers()[0]) is nn.Linear

    def _layers(self) -> tuple[Any, TrainableTokensLayer | None]:
        """The linear layer itself, and PEFT's layer around it with the trained rows; None if there is no such layer."""
        adapter = getattr(self.head, "token_adapter", self.head)
        if isinstance(adapter, TrainableTokensLayer):
            return adapter.base_layer, adapter
        return self.head, None

    def _loss(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        layer, adapter = self._layers()
        rows = new_ids = None
        if adapter is not None:
            name = adapter.active_adapters[0]
            rows = adapter.trainable_tokens_delta[name]
            new_ids = torch.tensor(adapter.token_indices[name], device=hidden.device)
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else layer.weight.dtype
        weight, bias = (None if x is None else x.to(dtype) for x in (layer.weight, getattr(layer, "bias", None)))
        packed = (layer.packed, layer.back) if isinstance(layer, PackedLinear) and dtype == layer.weight.dtype else None
        way = _Way(self.label_smoothing, _PORTION if device == "cpu" else 4 * _PORTION, new_ids, packed)
        counted = targets != IGNORE
        flat = hidden[counted].to(dtype)  # (tokens, hidden)
        return _HeadLoss.apply(flat, targets[counted], weight, bias, rows, way)
