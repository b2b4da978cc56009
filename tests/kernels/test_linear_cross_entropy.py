"""The loss inside the output head: the numbers and gradients of full logits."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from memreason.config.model import ModelConfig
from memreason.kernels import linear_cross_entropy
from memreason.kernels.linear_cross_entropy import LossHead
from memreason.models.build import build
from memreason.planning_tokens.layout import IGNORE

SHAPES = ("untied", "padded", "tied")


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 200, (3, 9), generator=generator)
    targets = torch.randint(0, 200, (3, 9), generator=generator)
    targets[:, :3] = IGNORE
    return ids, targets


@pytest.mark.parametrize("portion", [4, 1000])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", SHAPES)
def test_loss_and_gradients_of_new_rows_and_adapters_are_those_of_full_logits(
    bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch, shape: str, smoothing: float, portion: int
) -> None:
    monkeypatch.setattr(linear_cross_entropy, "_PORTION", portion)
    unit = build(ModelConfig(model_name_or_path=str(bases[shape]), dtype="float32", lora_dropout=0.0), 64)
    new = list(unit.manifest.token_ids.values())
    ids, targets = inputs()
    ids[0, :2], targets[0, 5:7] = torch.tensor(new[:2]), torch.tensor(new[1:3])
    trained = [p for p in unit.model.parameters() if p.requires_grad]
    logits = unit.model(input_ids=ids).logits
    plain = functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="sum", label_smoothing=smoothing
    )
    expected = torch.autograd.grad(plain, trained)
    with LossHead(unit.model.get_base_model(), smoothing).against(targets):
        loss = unit.model(input_ids=ids).logits
    torch.testing.assert_close(loss, plain)
    for one, other in zip(torch.autograd.grad(loss, trained), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_head_that_is_trained_gets_its_gradient_too(bases: dict[str, Path], shape: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(bases[shape])
    ids, targets = inputs()
    plain = functional.cross_entropy(
        model(input_ids=ids).logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="sum"
    )
    expected = torch.autograd.grad(plain, list(model.parameters()))
    with LossHead(model).against(targets):
        loss = model(input_ids=ids).logits
    for one, other in zip(torch.autograd.grad(loss, list(model.parameters())), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_afterwards_the_head_gives_logits_again(bases: dict[str, Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(bases["tied"])
    ids, targets = inputs()
    before = model(input_ids=ids).logits
    with pytest.raises((RuntimeError, IndexError)), LossHead(model).against(targets[:, :2]):
        model(input_ids=ids)
    assert torch.equal(model(input_ids=ids).logits, before)
