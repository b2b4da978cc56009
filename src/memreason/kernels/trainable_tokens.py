"""Rows of new tokens, trained beside an embedding matrix or an output head that stays frozen."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.trainable_tokens.layer import TrainableTokensLayer
from torch import nn


class NewRowsBesideFrozen(TrainableTokensLayer):
    """PEFT's trainable tokens, computed beside the frozen matrix instead of in a copy of it.

    The stock layer copies the whole matrix at every forward pass and builds a dense gradient for all
    of it. Here the frozen layer runs as it is, and only the outputs that belong to new rows are
    replaced: looked-up vectors on the input side, logits on the output side. Parameters, names and
    checkpoints are the stock layer's.
    """

    def forward_adapters(self, x: torch.Tensor, active_adapters: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As the stock layer's; x is (…) token ids on the input side, (…, hidden) on the output side."""
        layer = self.base_layer
        if self.disable_adapters or self.merged or len(active_adapters) != 1:
            return super().forward_adapters(x, active_adapters, *args, **kwargs)
        result = layer(x, *args, **kwargs)
        rows = self.trainable_tokens_delta[active_adapters[0]]
        index = torch.tensor(self.token_indices[active_adapters[0]], device=x.device)
        if isinstance(layer, nn.Embedding):
            scale = self._get_embed_scale()
            rows = rows if scale is None else rows * scale
            # Position of each id among the new ones; what is not new looks up row 0 and is not taken.
            position = torch.searchsorted(index, x).clamp(max=len(index) - 1)
            is_new = (index[position] == x).unsqueeze(-1)
            # Not `rows[position]`: with several threads its gradient adds up in any order.
            return torch.where(is_new, nn.functional.embedding(position, rows.to(result.dtype)), result)
        # The stock layer leaves out the head's bias until it is merged; the model was trained with it.
        bias = None if layer.bias is None else layer.bias[index].to(x.dtype)
        logits = nn.functional.linear(x, rows.to(x.dtype), bias).to(result.dtype)
        return result.index_copy(-1, index, logits)


def use_rows_beside_frozen(model: nn.Module) -> None:
    """Let every trainable-tokens layer of a PEFT model compute as `NewRowsBesideFrozen`."""
    for module in model.modules():
        if type(module) is TrainableTokensLayer:
            module.__class__ = NewRowsBesideFrozen
