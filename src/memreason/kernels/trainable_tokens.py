"""The rows of new tokens, trained beside a frozen embedding matrix or output head."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.trainable_tokens.layer import TrainableTokensLayer
from torch import nn


class NewRowsBesideFrozen(TrainableTokensLayer):
    """PEFT's trainable tokens, computed beside the frozen matrix instead of in a copy of it.

    PEFT's own layer copies the whole matrix at every forward pass, and makes a dense gradient for all of it. Here the
    frozen layer runs unchanged, and only the outputs of new rows are replaced: looked-up vectors on the input side,
    logits on the output side. Parameters, names and checkpoints are those of PEFT's layer.
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
            # The position of each id among the new ids. Ids that are not new get any row, which is not used.
            position = torch.searchsorted(index, x).clamp(max=len(index) - 1)
            is_new = (index[position] == x).unsqueeze(-1)
            # Not `rows[position]`: with several threads, the order in which its gradient is summed is not fixed.
            return torch.where(is_new, nn.functional.embedding(position, rows.to(result.dtype)), result)
        # PEFT's layer does not add the head's bias before it is merged, but the model was trained with the bias.
        bias = None if layer.bias is None else layer.bias[index].to(x.dtype)
        logits = nn.functional.linear(x, rows.to(x.dtype), bias).to(result.dtype)
        return result.index_copy(-1, index, logits)


def use_rows_beside_frozen(model: nn.Module) -> None:
    """From now on, let every trainable-tokens layer of a PEFT model compute as `NewRowsBesideFrozen`."""
    for module in model.modules():
        if type(module) is TrainableTokensLayer:
            module.__class__ = NewRowsBesideFrozen
