"""LoRA beside frozen layers: the stock layer's numbers, its dropout, and its checkpoints."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora.layer import Linear as LoraLinear
from transformers import AutoModelForCausalLM

from memreason.kernels import lora
from memreason.kernels.lora import (
    LoraBesideFrozen,
    RandomBytes,
    WeightBesideFrozen,
    all_beside_frozen,
    random_bytes_of,
    use_lora_beside_frozen,
)


def layer(bias: bool = True, dropout: float = 0.0, dtype: torch.dtype = torch.float32) -> LoraLinear:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(24, 40, bias=bias))
    found = get_peft_model(model, LoraConfig(r=4, lora_alpha=12, target_modules=["0"], lora_dropout=dropout)).base_model
    adapted = found.model[0]
    torch.nn.init.normal_(adapted.lora_B["default"].weight)
    adapted.base_layer.to(dtype)
    return adapted


def beside_frozen(module: LoraLinear) -> LoraLinear:
    use_lora_beside_frozen(module)
    assert type(module) is LoraBesideFrozen
    return module


def gradients(module: LoraLinear, x: torch.Tensor) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    out = module(x)
    found = [x, module.lora_A["default"].weight, module.lora_B["default"].weight]
    return [out, *torch.autograd.grad((out * torch.arange(out.numel()).view(out.shape).cos()).sum(), found)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(24,), (5, 24), (2, 5, 24)])
def test_output_and_gradients_are_the_stock_layers(bias: bool, shape: tuple[int, ...]) -> None:
    module, x = layer(bias), torch.randn(shape)
    expected = gradients(module, x)
    beside_frozen(module)
    for one, other in zip(gradients(module, x), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_in_sixteen_bits_they_are_within_rounding_and_adapters_gradients_are_float32() -> None:
    module, x = layer(), torch.randn(7, 24)
    expected = gradients(module, x)
    module.base_layer.to(torch.bfloat16)
    beside_frozen(module)
    found = gradients(module, x.bfloat16())
    assert found[2].dtype == found[3].dtype == torch.float32
    for one, other in zip(found, expected, strict=True):
        assert torch.cosine_similarity(one.float().flatten(), other.flatten(), 0) > 0.999


@pytest.mark.parametrize("shape", [(5, 24), (2, 5, 24)])
def test_a_model_may_write_into_the_output(shape: tuple[int, ...]) -> None:
    module, x = layer(), torch.randn(shape)
    beside_frozen(module)
    module(x).add_(1).square().sum().backward()
    found = module.lora_A["default"].weight.grad.clone()
    module.zero_grad()
    (module(x) + 1).square().sum().backward()
    torch.testing.assert_close(module.lora_A["default"].weight.grad, found)


def test_told_of_a_layers_weight_it_computes_the_same_as_told_of_the_layer() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(24, 40))
    by_weight = get_peft_model(model, LoraConfig(r=4, target_modules=[], target_parameters=["0.weight"]))
    module = by_weight.base_model.model[0]
    torch.nn.init.normal_(module.lora_B["default"].weight)
    x = torch.randn(2, 5, 24)
    expected = gradients(module, x)
    use_lora_beside_frozen(by_weight)
    assert type(module) is WeightBesideFrozen and all_beside_frozen(by_weight)
    for one, other in zip(gradients(module, x), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    with_adapter = module(x)
    module.merge()
    torch.testing.assert_close(module(x), with_adapter, rtol=1e-4, atol=1e-5)


def test_no_gradient_is_computed_for_an_input_that_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora, "back_through", lambda *_: pytest.fail("a gradient of the input was computed"))
    module = layer()
    beside_frozen(module)
    module(torch.randn(3, 24)).sum().backward()
    assert module.lora_A["default"].weight.grad is not None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_is_the_same_forward_and_backward_and_right_on_average(dtype: torch.dtype) -> None:
    module = layer(bias=False, dropout=0.25, dtype=dtype)
    beside_frozen(module)
    x = torch.ones(4000, 24, dtype=dtype)
    plain = module.eval()(x)[0].float()
    out, grad_x, *_ = gradients(module.train(), x)
    assert out.float().std(0).min() > 0
    torch.testing.assert_close(out.float().mean(0), plain, rtol=0.1, atol=0.15)
    # What was dropped has no gradient through the adapter: there, only the frozen layer's is left.
    grad = torch.arange(out.numel()).view(out.shape).cos().to(dtype)
    untouched = torch.isclose(grad_x.float(), (grad @ module.base_layer.weight).float(), rtol=1e-3, atol=1e-3)
    assert 0.22 < untouched.float().mean() < 0.28


@pytest.mark.parametrize("dropout", [0.0005, 0.05, 0.5])
def test_masks_keep_the_right_share_also_below_their_resolution(dropout: float) -> None:
    x, dropped, random_bytes = torch.empty(100, 40, dtype=torch.bfloat16), [], RandomBytes()
    torch.manual_seed(1)
    for _ in range(300):
        random_bytes.refill(x.device)
        mask = random_bytes.draw(x, dropout).of(torch.ones_like(x))
        assert set(mask.unique().tolist()) <= {0, 1}
        dropped.append(1 - mask.float().mean().item())
    assert sum(dropped) / len(dropped) == pytest.approx(dropout, rel=0.5 if dropout < 0.01 else 0.05)


def test_masks_of_two_calls_differ_and_a_seed_repeats_them() -> None:
    x = torch.empty(10, 16)
    seen = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        random_bytes = RandomBytes()
        seen.append(tuple(random_bytes.draw(x, 0.5).of(torch.ones_like(x)) for _ in range(2)))
    assert torch.equal(seen[0][0], seen[1][0]) and not torch.equal(seen[0][0], seen[2][0])
    assert not torch.equal(seen[0][0], seen[0][1])


def test_an_input_larger_than_the_random_bytes_gets_more_of_them() -> None:
    x = torch.ones(5000, 2000)
    mask = RandomBytes().draw(x, 0.5).of(x)
    assert mask.shape == (5000, 2000) and mask.mean() == pytest.approx(0.5, abs=0.01)


def test_the_layers_of_one_model_share_random_bytes_and_no_others_do(bases: dict[str, Path]) -> None:
    def adapted() -> PeftModel:
        model = AutoModelForCausalLM.from_pretrained(bases["tied"])
        model = get_peft_model(model, LoraConfig(target_modules=["q_proj", "v_proj"], lora_dropout=0.5))
        use_lora_beside_frozen(model)
        return model

    first, second = adapted(), adapted()
    own = {id(module.random_bytes) for module in first.modules() if isinstance(module, LoraBesideFrozen)}
    assert own == {id(random_bytes_of(first))} != {id(random_bytes_of(second))}
    assert random_bytes_of(torch.nn.Linear(2, 2)) is None


def test_what_is_not_a_plain_layer_is_left_to_peft(bases: dict[str, Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(bases["tied"])
    unit = get_peft_model(model, LoraConfig(target_modules=["q_proj"], use_dora=True))
    for module in unit.modules():
        if isinstance(module, LoraLinear):
            torch.nn.init.normal_(module.lora_B["default"].weight)
    ids = torch.tensor([[1, 2, 3]])
    expected = unit(input_ids=ids).logits
    use_lora_beside_frozen(unit)
    assert torch.equal(unit(input_ids=ids).logits, expected)
    assert all_beside_frozen(unit)


def test_merged_and_disabled_adapters_are_left_to_peft() -> None:
    module, x = layer(), torch.randn(3, 24)
    beside_frozen(module)
    with_adapter = module(x)
    module.merge()
    torch.testing.assert_close(module(x), with_adapter, rtol=1e-4, atol=1e-5)
    module.unmerge()
    module.enable_adapters(False)
    torch.testing.assert_close(module(x), module.base_layer(x))
