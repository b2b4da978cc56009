"""Norms and rotations as one function: the model's own numbers and gradients, and the model's own where they differ."""

import sys

import pytest
import torch
from torch import nn
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama import modeling_llama
from transformers.models.llama.modeling_llama import LlamaConfig, LlamaForCausalLM, LlamaRMSNorm
from transformers.models.olmo2.modeling_olmo2 import Olmo2RMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3Config, Qwen3ForCausalLM

from memreason.kernels import rms_norm_rope
from memreason.kernels.rms_norm_rope import fused

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "vocab_size": 50, "head_dim": 8}  # fmt: skip
MODELS = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM)}


def frozen(kind: str, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    config, model = MODELS[kind]
    made = model(config(**SIZES)).to(dtype)
    for name, parameter in made.named_parameters():
        if "norm" in name:
            nn.init.uniform_(parameter, 0.5, 2)
    return made.requires_grad_(False)


def output_and_gradient(model: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    embedded = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(1)).to(model.dtype).requires_grad_()
    logits = model(inputs_embeds=embedded).logits
    return logits, torch.autograd.grad(logits.float().logsumexp(-1).square().sum(), embedded)[0]


@pytest.mark.parametrize("kind", MODELS)
def test_logits_and_gradients_are_the_models_own(kind: str) -> None:
    model = frozen(kind)
    expected = output_and_gradient(model)
    with fused(model):
        found = output_and_gradient(model)
    assert {"_NormBackward", "_RotationBackward"} <= functions_behind(found[0])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_in_sixteen_bits_they_are_no_further_from_float32_than_the_models_own() -> None:
    exact = output_and_gradient(frozen("llama"))
    model = frozen("llama", torch.bfloat16)
    own = output_and_gradient(model)
    with fused(model):
        found = output_and_gradient(model)
    for one, other, right in zip(found, own, exact, strict=True):
        assert (one - right).norm() < 1.2 * (other - right).norm()


def test_without_gradients_the_model_runs_as_it_is() -> None:
    model = frozen("llama", torch.bfloat16)
    ids = torch.arange(10)[None]
    with torch.no_grad():
        expected = model(ids).logits
        with fused(model):
            assert torch.equal(model(ids).logits, expected)


def test_the_model_is_as_before_afterwards_and_no_other_model_is_touched_meanwhile() -> None:
    model, other, rotation = frozen("llama"), frozen("llama"), modeling_llama.apply_rotary_pos_emb
    with pytest.raises(ZeroDivisionError), fused(model):
        assert "_RotationBackward" in functions_behind(output_and_gradient(model)[0])
        assert not {"_NormBackward", "_RotationBackward"} & functions_behind(output_and_gradient(other)[0])
        assert modeling_llama.apply_rotary_pos_emb is rotation
        _ = 1 / 0
    assert not any("forward" in vars(module) for module in model.modules())


@pytest.mark.parametrize("kind, is_usual", [(LlamaRMSNorm, True), (Olmo2RMSNorm, True), (GemmaRMSNorm, False)])
def test_only_norms_that_compute_the_usual_are_replaced(kind: type, is_usual: bool) -> None:
    module = nn.ModuleList([kind(32)]).requires_grad_(False)
    with fused(module):
        assert ("forward" in vars(module[0])) is is_usual


def test_a_norm_whose_own_settings_make_it_another_is_left_alone() -> None:
    class OffsetRMSNorm(LlamaRMSNorm):
        def __init__(self, offset: float):
            super().__init__(32)
            self.offset = offset

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + self.offset * x

    modules = nn.ModuleList([OffsetRMSNorm(0), OffsetRMSNorm(0.001)]).requires_grad_(False)
    with fused(modules):
        assert ["forward" in vars(module) for module in modules] == [True, False]


def test_a_norm_that_is_given_more_than_its_input_computes_as_it_is() -> None:
    class GatedRMSNorm(LlamaRMSNorm):
        def forward(self, x: torch.Tensor, gate: torch.Tensor | None = None) -> torch.Tensor:
            return super().forward(x if gate is None else x * gate)

    module, x = nn.ModuleList([GatedRMSNorm(32)]).requires_grad_(False), torch.randn(3, 32, requires_grad=True)
    with fused(module):
        torch.testing.assert_close(module[0](x, gate=x), module[0](x * x))


def test_a_norm_whose_weight_is_trained_is_left_alone() -> None:
    module = nn.ModuleList([LlamaRMSNorm(32)])
    with fused(module):
        assert "forward" not in vars(module[0])


def test_trying_out_what_a_model_computes_draws_no_random_numbers() -> None:
    model = frozen("llama")
    rms_norm_rope._is_usual_rotation.cache_clear()
    before = torch.random.get_rng_state()
    with fused(model):
        assert torch.equal(torch.random.get_rng_state(), before)


def test_a_norm_that_others_have_replaced_is_left_alone() -> None:
    module = nn.ModuleList([LlamaRMSNorm(32)]).requires_grad_(False)
    theirs = module[0].forward = lambda x: x
    with fused(module):
        assert module[0].forward is theirs
    assert module[0].forward is theirs


def test_a_rotation_of_another_kind_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def interleaved(q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> tuple:
        def turned(x: torch.Tensor) -> torch.Tensor:
            return x * cos[:, None] + torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2) * sin[:, None]

        return turned(q), turned(k)

    model = frozen("llama")
    monkeypatch.setattr(sys.modules[type(model).__module__], "apply_rotary_pos_emb", interleaved)
    with fused(model):
        assert "_RotationBackward" not in functions_behind(output_and_gradient(model)[0])


def functions_behind(tensor: torch.Tensor) -> set[str]:
    """The names of all functions whose gradients a tensor's goes through."""
    names, waiting, seen = set(), [tensor.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        names.add(type(node).__name__)
        waiting += [following for following, _ in node.next_functions]
    return names
