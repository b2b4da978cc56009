"""The fast way of computing the loss: the plain way's numbers, and the plain way where a model does not allow it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS, make_tokenizer, teach
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    FalconConfig,
    FalconForCausalLM,
    FalconH1Config,
    FalconH1ForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Lfm2Config,
    Lfm2ForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from memreason.config.ablations import AblationConfig
from memreason.config.checks import PREFIX_TUNING
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.training.encoding import encode_solutions
from memreason.training.loss import TrainingPass
from memreason.training.packing import pack

MIXING = {
    "convolutions": lambda sizes: Lfm2ForCausalLM(Lfm2Config(**sizes, layer_types=["conv", "full_attention"])),
    "a state": lambda sizes: MambaForCausalLM(MambaConfig(**sizes)),
    "attention and a state side by side": lambda sizes: FalconH1ForCausalLM(
        FalconH1Config(**sizes, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_head=8, mamba_d_state=8, mamba_chunk_size=16)
    ),
    "biases by distance": lambda sizes: BloomForCausalLM(BloomConfig(**sizes)),
    "attention of its own": lambda sizes: FalconForCausalLM(
        FalconConfig(**{name: size for name, size in sizes.items() if name != "head_dim"})
    ),
}
"""Models in which some layers, or all, do not attend through transformers' interface, or not only."""


def unit_of(base: Path, ablations: AblationConfig | None = None, **options: object) -> ModelUnit:
    options = {"dtype": "float32", "lora_dropout": 0.0} | options
    unit = build(ModelConfig(model_name_or_path=str(base), **options), 128, 0, ablations)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in unit.model.named_parameters():
        if "lora_B" in name:  # zero at first, and then A has no gradient
            parameter.data.normal_(std=0.1, generator=generator)
    return unit


def examples_of(unit: ModelUnit) -> list:
    return list(encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, 128)[0])


def loss_and_gradients(unit: ModelUnit, way: TrainingPass, examples: list) -> tuple[torch.Tensor, list[torch.Tensor]]:
    trained = [p for p in unit.model.parameters() if p.requires_grad]
    with way.prepared() if way.unpadded else way.attention():
        loss = way.loss(unit.model, way.collate(examples))
        return loss, list(torch.autograd.grad(loss, trained))


def plainly(way: TrainingPass) -> TrainingPass:
    way.unpadded = way.in_head = False
    return way


@pytest.mark.parametrize("mode", ["lora+prompt-tuning", "prompt-tuning", "lora", "none"])
@pytest.mark.parametrize("shape", SHAPES)
def test_loss_and_gradients_are_those_of_padded_batches_and_full_logits(
    bases: dict[str, Path], shape: str, mode: str
) -> None:
    unit = unit_of(bases[shape], parameter_efficient_mode=mode)
    examples = examples_of(unit)
    way = TrainingPass(unit, examples)
    assert way.unpadded and way.in_head
    loss, gradients = loss_and_gradients(unit, way, examples)
    expected, plain = loss_and_gradients(unit, plainly(way), examples)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(gradients, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_the_first_steps_in_bfloat16_follow_the_plain_way_in_float32(bases: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    base = teach(shutil.copytree(bases["tied"], tmp_path / "base"))
    curves = []
    for dtype in ("bfloat16", "float32"):
        unit = unit_of(base, dtype=dtype)
        examples = examples_of(unit)
        way = TrainingPass(unit, examples)
        assert not way.casts
        if dtype == "float32":
            plainly(way)
        trained = [p for p in unit.model.parameters() if p.requires_grad]
        optimizer, losses = torch.optim.AdamW(trained, lr=3e-3), []
        for _ in range(12):
            loss, gradients = loss_and_gradients(unit, way, examples)
            for parameter, gradient in zip(trained, gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()
            losses.append(loss.item())
        curves.append((losses, torch.cat([g.flatten() for g in gradients])))
    (fast, by_fast), (plain, by_plain) = curves
    assert plain[-1] < 0.8 * plain[0]
    assert fast == pytest.approx(plain, rel=0.02)
    assert torch.cosine_similarity(by_fast, by_plain, 0) > 0.97


def test_packed_rows_give_the_loss_of_their_examples(bases: dict[str, Path]) -> None:
    unit = unit_of(bases["padded"])
    examples, _ = encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, 128)
    packed = pack(examples, 128)
    assert len(packed) < len(examples)
    way = TrainingPass(unit, packed)
    loss, _ = loss_and_gradients(unit, way, list(packed))
    expected, _ = loss_and_gradients(unit, plainly(TrainingPass(unit, examples)), list(examples))
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)


def test_a_batch_without_any_target_has_a_loss_of_nothing_that_still_reaches_the_weights(
    bases: dict[str, Path],
) -> None:
    unit = unit_of(bases["tied"])
    way = TrainingPass(unit, examples_of(unit))
    loss, gradients = loss_and_gradients(unit, way, [{"input_ids": [1, 2], "labels": [-100, -100]}])
    assert loss == 0 and all((gradient == 0).all() for gradient in gradients)


def test_repeating_a_pass_for_its_gradients_repeats_its_dropout(bases: dict[str, Path]) -> None:
    found = []
    for repeat in (False, True):
        unit = unit_of(bases["tied"], lora_dropout=0.3)
        examples = examples_of(unit)
        way = TrainingPass(unit, examples)
        unit.model.train()
        if repeat:
            unit.model.gradient_checkpointing_enable({"use_reentrant": False})
            unit.model.enable_input_require_grads()
        torch.manual_seed(5)
        found.append(loss_and_gradients(unit, way, examples))
    (loss, gradients), (again, repeated) = found
    assert loss == again
    for one, other in zip(gradients, repeated, strict=True):
        torch.testing.assert_close(one, other)


class TestWhatAModelDoesNotAllow:
    def save(self, model: torch.nn.Module, folder: Path) -> Path:
        model.save_pretrained(folder)
        make_tokenizer(bos=False).save_pretrained(folder)
        return folder

    def sizes(self) -> dict[str, int]:
        tokenizer = make_tokenizer(bos=False)
        return dict(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                    eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)  # fmt: skip

    def test_capped_attention_and_capped_logits_are_trained_the_plain_way(self, tmp_path: Path) -> None:
        torch.manual_seed(0)
        model = Gemma2ForCausalLM(Gemma2Config(**self.sizes(), query_pre_attn_scalar=8, final_logit_softcapping=1.0))
        unit = unit_of(self.save(model, tmp_path / "base"))
        examples = examples_of(unit)
        way = TrainingPass(unit, examples)
        assert not way.unpadded and not way.in_head
        loss, gradients = loss_and_gradients(unit, way, examples)
        assert loss > 0 and any(gradient.abs().sum() > 0 for gradient in gradients)

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_the_least_change_of_logits_after_the_head_keeps_the_loss_out_of_it(
        self, tmp_path: Path, dtype: str
    ) -> None:
        model = Gemma2ForCausalLM(Gemma2Config(**self.sizes(), query_pre_attn_scalar=8, final_logit_softcapping=9000.0))
        way = TrainingPass(unit := unit_of(self.save(model, tmp_path), dtype=dtype), examples_of(unit))
        assert way.keeps_logits and not way.in_head

    @pytest.mark.parametrize("kind", MIXING)
    def test_layers_that_mix_tokens_in_a_way_of_their_own_are_trained_in_padded_batches(
        self, tmp_path: Path, kind: str
    ) -> None:
        torch.manual_seed(0)
        base = self.save(MIXING[kind](self.sizes()), tmp_path / "base")
        unit = unit_of(base, parameter_efficient_mode="prompt-tuning")
        examples = examples_of(unit)
        way = TrainingPass(unit, examples)
        assert way.in_head and not way.unpadded
        loss, gradients = loss_and_gradients(unit, way, examples)
        expected, plain = loss_and_gradients(unit, plainly(way), examples)
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
        for one, other in zip(gradients, plain, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("kind", ["convolutions", "attention and a state side by side", "biases by distance"])
    def test_where_packed_texts_reach_each_other_packing_is_refused(self, tmp_path: Path, kind: str) -> None:
        torch.manual_seed(0)
        base = self.save(MIXING[kind](self.sizes()), tmp_path / "base")
        unit = unit_of(base, parameter_efficient_mode="prompt-tuning")
        examples, _ = encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, 128)
        with pytest.raises(UserError, match="see each other"):
            TrainingPass(unit, pack(examples, 128))

    def test_packed_rows_of_a_model_that_keeps_them_apart_by_itself_are_taken(self, tmp_path: Path) -> None:
        torch.manual_seed(0)
        unit = unit_of(self.save(Gemma2ForCausalLM(Gemma2Config(**self.sizes(), query_pre_attn_scalar=8)), tmp_path))
        examples, _ = encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, 128)
        way = TrainingPass(unit, pack(examples, 128))
        assert not way.unpadded
        loss, _ = loss_and_gradients(unit, way, list(pack(examples, 128)))
        expected, _ = loss_and_gradients(unit, plainly(TrainingPass(unit, examples)), list(examples))
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_the_least_that_reaches_another_text_is_seen_in_any_data_type(
        self, bases: dict[str, Path], dtype: str
    ) -> None:
        class Leaking(torch.nn.Module):
            def __init__(self, own: torch.nn.Module) -> None:
                super().__init__()
                self.own = own

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.own(x) + 1e-6 * x.cumsum(1)

        unit = unit_of(bases["untied"], dtype=dtype, parameter_efficient_mode="prompt-tuning")
        assert TrainingPass(unit, examples_of(unit)).unpadded
        layer = unit.model.get_base_model().model.layers[1]
        layer.mlp = Leaking(layer.mlp)
        assert not TrainingPass(unit, examples_of(unit)).unpadded

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_a_mixture_of_experts_is_trained_unpadded_in_any_data_type(self, tmp_path: Path, dtype: str) -> None:
        torch.manual_seed(0)
        config = Qwen3MoeConfig(**self.sizes(), num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16)
        base = self.save(Qwen3MoeForCausalLM(config), tmp_path / "base")
        unit = unit_of(base, parameter_efficient_mode="prompt-tuning", dtype=dtype)
        assert TrainingPass(unit, examples_of(unit)).unpadded

    @pytest.mark.parametrize("window", [8, 70])
    def test_windows_shorter_than_some_texts_are_trained_unpadded(self, tmp_path: Path, window: int) -> None:
        base = self.save(MistralForCausalLM(MistralConfig(**self.sizes(), sliding_window=window)), tmp_path / "m")
        unit = unit_of(base)
        examples = examples_of(unit)
        longer = {name: ids + ids[10:] for name, ids in examples[0].items()}
        lengths = [len(one["input_ids"]) for one in [*examples, longer]]
        assert min(lengths) < 70 < max(lengths)
        way = TrainingPass(unit, examples)
        assert way.in_head and way.unpadded
        loss, gradients = loss_and_gradients(unit, way, [*examples, longer])
        expected, plain = loss_and_gradients(unit, plainly(way), [*examples, longer])
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
        for one, other in zip(gradients, plain, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("ablations", [AblationConfig(use_sparse_attention=True), None])
    def test_sparse_attention_and_prefixes_are_trained_in_padded_batches(
        self, bases: dict[str, Path], ablations: AblationConfig | None
    ) -> None:
        options = {} if ablations else {"parameter_efficient_mode": PREFIX_TUNING, "add_soft_prompts": False}
        unit = unit_of(bases["tied"], ablations, **options)
        way = TrainingPass(unit, examples_of(unit))
        assert way.in_head and not way.unpadded
        examples = examples_of(unit)
        loss, _ = loss_and_gradients(unit, way, examples)
        expected, _ = loss_and_gradients(unit, plainly(way), examples)
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)


def test_trying_it_out_leaves_the_model_as_it_was(bases: dict[str, Path]) -> None:
    unit = unit_of(bases["tied"], lora_dropout=0.3)
    unit.model.train()
    attention = unit.model.get_base_model().config._attn_implementation
    before = {name: p.detach().clone() for name, p in unit.model.named_parameters()}
    random = torch.random.get_rng_state()
    way = TrainingPass(unit, examples_of(unit))
    assert unit.model.training and unit.model.get_base_model().config._attn_implementation == attention
    assert way.usual_attention == attention and torch.equal(torch.random.get_rng_state(), random)
    assert all(p.grad is None for p in unit.model.parameters())
    assert all(torch.equal(p, before[name]) for name, p in unit.model.named_parameters())
    assert replace(unit.manifest) == unit.manifest
