"""Before anything is decoded over slots, it is proven that this is right for the model."""

import logging

import pytest
import torch
from helpers.decoding import END, decode, of_kind, prompts
from torch import nn
from transformers import DynamicCache

from memreason.errors import Unsupported
from memreason.generation import slot_proof

LATENT = {"num_key_value_heads": 4, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4,
          "v_head_dim": 6, "first_k_dense_replace": 2, "n_group": 1, "topk_group": 1}  # fmt: skip
REFUSED = {
    "Mamba beside attention in each layer": ("falcon_h1", {
        "head_dim": 8, "mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8,
        "mamba_chunk_size": 8}, "logits differ"),
    "linear attention in some layers": ("minimax", {
        "head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 1, "block_size": 8}, "not every layer attends"),
    "a mask that is computed from the values": ("doge", {}, "a mask of the model's own"),
    "attention of its own": ("gptj", {"n_embd": 32, "n_head": 4, "rotary_dim": 4}, "not every layer attends"),
    "rotary positions that depend on the length": ("llama", {
        "max_position_embeddings": 8, "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}},
        "rotary positions"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("what", REFUSED)
def test_what_slots_cannot_compute_is_left_to_others_before_anything_is_decoded(what: str, dtype: torch.dtype) -> None:
    kind, options, reason = REFUSED[what]
    model = of_kind(kind, dtype, **options)
    told: list[int] = []
    usual = model.config._attn_implementation
    with pytest.raises(Unsupported, match=reason):
        decode(model, prompts(3, 60), [5] * 3, on_ended=lambda index, ids: told.append(index), end_id=END, slots=2)
    assert not told and model.config._attn_implementation == usual


@pytest.mark.parametrize("kind", ["mistral", "gemma2", "gpt_oss"])
def test_in_16_bits_windows_caps_and_sinks_are_proven_too(kind: str) -> None:
    model = of_kind(kind, torch.bfloat16, head_dim=8, sliding_window=4)
    assert slot_proof.prove_once(model, range(8, 20), None, 40, None)[0] is not None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_layer_that_looks_beyond_its_window_some_other_way_is_refused(dtype: torch.dtype) -> None:
    model = of_kind("mistral", dtype, sliding_window=4)

    class Mixing(nn.Module):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return hidden.cumsum(1) / hidden.shape[1]

    model.model.layers[1].mlp = Mixing()
    with pytest.raises(Unsupported, match="logits differ"):
        slot_proof.prove_once(model, range(8, 20), None, 40, None)


def test_a_cache_that_keeps_less_than_a_layer_attends_to_cannot_be_shared_by_slots() -> None:
    model = of_kind("deepseek_v3", **LATENT)
    shared = DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=torch.tensor([[8, 9, 10]]), past_key_values=shared, use_cache=True)
    with pytest.raises(Unsupported, match="its cache holds other keys"):
        decode(model, prompts(2, 60), [3] * 2, end_id=END, slots=2, shared=shared)


def test_the_log_says_once_for_each_model_why_slots_are_not_used(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "memreason")
    for model in [of_kind("doge")] * 3 + [of_kind("doge")]:
        with pytest.raises(Unsupported):
            slot_proof.prove_once(model, range(8, 20), None, 40, None)
    assert [record.getMessage() for record in caplog.records] == ["batch by batch: a mask of the model's own"] * 2


def test_the_proof_draws_no_random_numbers() -> None:
    model = of_kind("llama")
    before = torch.get_rng_state()
    decode(model, prompts(2, 60), [3] * 2, end_id=END, slots=2)
    assert torch.equal(torch.get_rng_state(), before)
