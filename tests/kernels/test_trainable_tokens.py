"""New rows computed beside the frozen matrix give what PEFT's own layer gives, forwards and backwards."""

from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS
from peft.tuners.trainable_tokens.layer import TrainableTokensLayer

from memreason.config.model import ModelConfig
from memreason.kernels.trainable_tokens import NewRowsBesideFrozen
from memreason.models.build import build


@pytest.mark.parametrize("mode", ["prompt-tuning", "lora+prompt-tuning"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_logits_and_gradients_as_the_stock_layer(bases: dict[str, Path], shape: str, mode: str) -> None:
    unit = build(ModelConfig(str(bases[shape]), parameter_efficient_mode=mode, dtype="float32", lora_dropout=0.0), 256)
    layers = [module for module in unit.model.modules() if isinstance(module, TrainableTokensLayer)]
    assert layers and all(type(layer) is NewRowsBesideFrozen for layer in layers)
    ids = torch.tensor([unit.layout.encode(unit.tokenizer, SOLUTIONS[0]).ids])

    def run() -> tuple[torch.Tensor, list[torch.Tensor]]:
        unit.model.zero_grad()
        output = unit.model(input_ids=ids, labels=ids)
        output.loss.backward()
        return output.logits.detach(), [p.grad for p in unit.model.parameters() if p.grad is not None]

    ours = run()
    for layer in layers:
        layer.__class__ = TrainableTokensLayer
    stock = run()
    assert torch.allclose(ours[0], stock[0], atol=1e-5)
    assert len(ours[1]) == len(stock[1]) > 0
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(ours[1], stock[1], strict=True))
