"""Packed weights: the same numbers bit for bit, only where they are of use, and gone afterwards."""

import logging

import psutil
import pytest
import torch
from torch import nn

from memreason.kernels import prepacked_linear as module
from memreason.kernels.prepacked_linear import PackedLinear, packed_weights

works = pytest.mark.skipif(not module._works(), reason="this PyTorch or processor packs no weights")


def model(dtype: torch.dtype = torch.bfloat16, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(48, 64, bias=bias), nn.SiLU(), nn.Linear(64, 33, bias=bias)).to(dtype)
    return layers.requires_grad_(False)


def output_and_gradient(layers: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    out = layers(x)
    return [out, *torch.autograd.grad(out.float().square().sum(), x)]


@works
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(48,), (1, 48), (5, 48), (2, 300, 48)])
def test_output_and_gradient_are_the_stock_layers_bit_for_bit(shape: tuple[int, ...], bias: bool) -> None:
    layers, x = model(bias=bias), torch.randn(shape).bfloat16()
    expected = output_and_gradient(layers, x)
    with packed_weights(layers, with_gradients=True):
        assert type(layers[0]) is PackedLinear
        found = output_and_gradient(layers, x)
        with torch.no_grad():
            assert torch.equal(layers(x), expected[0])
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


@works
def test_without_gradients_wanted_a_gradient_still_comes_out_right() -> None:
    layers, x = model(), torch.randn(5, 48).bfloat16()
    expected = output_and_gradient(layers, x)
    with packed_weights(layers):
        for one, other in zip(output_and_gradient(layers, x), expected, strict=True):
            assert torch.equal(one, other)


@works
def test_layers_are_stock_again_afterwards_also_where_something_failed() -> None:
    layers = model()
    before = [set(vars(layer)) for layer in layers]
    with pytest.raises(ZeroDivisionError), packed_weights(layers, with_gradients=True):
        _ = 1 / 0
    assert [type(layer) for layer in layers] == [nn.Linear, nn.SiLU, nn.Linear]
    assert [set(vars(layer)) for layer in layers] == before


@works
def test_within_changed_weights_are_packed_as_they_are_and_the_first_ones_come_back() -> None:
    layers, x = model(), torch.randn(5, 48).bfloat16()
    first = layers(x)
    with packed_weights(layers, with_gradients=True):
        kept = layers[0].weight.data.clone()
        layers[0].weight.data += 1
        with packed_weights(layers):
            with torch.no_grad():
                inside = layers(x)
            assert not torch.equal(inside, first)
        layers[0].weight.data = kept
        assert torch.equal(layers(x), first)
    assert type(layers[0]) is nn.Linear


@works
def test_trained_weights_are_left_alone_while_training() -> None:
    layers = model()
    layers[0].weight.requires_grad_(True)
    with packed_weights(layers, with_gradients=True):
        assert [type(layer) for layer in layers] == [nn.Linear, nn.SiLU, PackedLinear]


@works
def test_other_types_of_input_and_autocast_go_the_stock_way() -> None:
    layers, x = model(), torch.randn(5, 48)
    with packed_weights(layers), torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layers(x), layers(x.bfloat16()))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 5, 16, 300])
def test_in_float32_too_output_and_gradient_are_the_stock_layers(rows: int, bias: bool) -> None:
    layers, x = model(torch.float32, bias), torch.randn(rows, 48)
    expected = output_and_gradient(layers, x)
    with packed_weights(layers, with_gradients=True):
        assert type(layers[0]) is PackedLinear
        assert layers[0].back is None  # the weight itself lies right for the gradient
        found = output_and_gradient(layers, x)
        with torch.no_grad():
            assert torch.allclose(layers(x), expected[0], rtol=1e-5, atol=1e-6)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_wide_layer_in_float32_is_packed_in_panels() -> None:
    layer, x = nn.Linear(24, 2000), torch.randn(3, 24)
    packed = module.pack(layer.weight)
    assert [panel.shape for panel in packed] == [(24, 667), (24, 667), (24, 666)]
    assert torch.allclose(module.times(x, packed, layer.bias), layer(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_other_data_types_are_not_packed(dtype: torch.dtype) -> None:
    layers = model(dtype)
    with packed_weights(layers):
        assert type(layers[0]) is nn.Linear


@works
def test_nothing_is_packed_where_memory_is_short_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    little = psutil.virtual_memory()._replace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    layers = model()
    with caplog.at_level(logging.INFO, "memreason"), packed_weights(layers):
        assert type(layers[0]) is nn.Linear
    assert "weights are not packed" in caplog.text


@works
def test_weights_changed_within_are_used_also_where_memory_is_short_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    layers, x = model(), torch.randn(5, 48).bfloat16()
    first = layers(x)
    with packed_weights(layers, with_gradients=True):
        kept = layers[0].weight.data.clone()
        layers[0].weight.data += 1
        with monkeypatch.context() as patch:
            patch.setattr(module, "free_memory", lambda: 1000)
            with packed_weights(layers), torch.no_grad():
                assert type(layers[0]) is nn.Linear
                assert not torch.equal(layers(x), first)
        layers[0].weight.data = kept
        assert type(layers[0]) is PackedLinear
        assert torch.equal(layers(x), first)


@works
def test_packing_that_fails_half_way_leaves_stock_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    layers, pack = model(), module.pack
    monkeypatch.setattr(module, "pack", lambda weight: pack(weight) if weight.shape == (64, 48) else 1 / 0)
    with pytest.raises(ZeroDivisionError), packed_weights(layers):
        pass
    assert all(type(layer) is not PackedLinear and "packed" not in vars(layer) for layer in layers)


@works
def test_finding_out_whether_it_works_draws_no_random_numbers() -> None:
    module._works.cache_clear()
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    assert module._works()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_model_may_write_into_the_output_while_training() -> None:
    """Gemma 3n does, and PyTorch refuses that of a view."""
    model = nn.Sequential(nn.Linear(16, 16, bias=False)).requires_grad_(False)
    x = torch.randn(2, 3, 16, requires_grad=True)
    with packed_weights(model, with_gradients=True):
        assert type(model[0]) is PackedLinear
        out = model(x)
        out[1:] += 1
        out.sum().backward()
    torch.testing.assert_close(x.grad, model[0].weight.sum(0).expand_as(x))
