"""Attention over slots is the model's own: windows, chunks, capped scores, sinks, values of another size, layers that
attend more than once."""

from collections.abc import Iterator

import pytest
import torch
from helpers.decoding import END, alone, decode, of_kind, prompts
from transformers import DynamicCache, PreTrainedModel

from memreason.generation.kv_cache import SlotCache
from memreason.generation.slot_attention import SlotAttention, Step, attending_over
from memreason.generation.slot_pass import Row, logits_of
from memreason.generation.slot_proof import prove_once

EXPERTS = {"num_local_experts": 2, "num_experts_per_tok": 1}
LATENT = {"num_key_value_heads": 4, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4,
          "v_head_dim": 6, "first_k_dense_replace": 2, "n_group": 1, "topk_group": 1}  # fmt: skip
KINDS = {
    "a window": ("mistral", {"sliding_window": 4}),
    "a window that the proof's texts do not reach": ("mistral", {"sliding_window": 20}),
    "a window that is only in the mask": ("phimoe", {"sliding_window": 4, **EXPERTS}),
    "a window that no layer has": ("qwen2_moe", {
        "moe_intermediate_size": 24, "shared_expert_intermediate_size": 24, "num_experts": 2,
        "num_experts_per_tok": 1}),
    "windows in some layers, capped scores": ("gemma2", {
        "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 4, "attn_logit_softcapping": 2.0}),
    "windows in some layers, sinks": ("gpt_oss", {"head_dim": 8, "sliding_window": 4, **EXPERTS}),
    "chunks": ("llama4_text", {
        "head_dim": 8, "attention_chunk_size": 5, "num_hidden_layers": 4, "intermediate_size_mlp": 48, **EXPERTS}),
    "values of another size than keys": ("deepseek_v3", LATENT),
    "attention twice in a layer": ("diffllama", {}),
}  # fmt: skip


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> Iterator[PreTrainedModel]:
    kind, options = KINDS[request.param]
    yield of_kind(kind, **options)


def test_every_prompt_gets_the_ids_that_it_gets_alone(model: PreTrainedModel) -> None:
    usual = model.config._attn_implementation
    asked = prompts(5, 60)
    room = [24, 6, 15, 24, 9]
    expected = [alone(model, prompt, size) for prompt, size in zip(asked, room, strict=True)]
    after = {tuple(ids[: i + 1]): ids[i + 1 : i + 3] for ids in expected for i in range(len(ids))}

    def some_right(generated: list[int], _: int) -> list[int]:
        return [after[tuple(generated)], [9, 9], []][len(generated) % 3]

    assert decode(model, asked, room, end_id=END, slots=3, draft=some_right) == expected
    assert model.config._attn_implementation == usual  # as it was


@pytest.mark.parametrize("what", ["a window", "windows in some layers, capped scores", "chunks"])
def test_a_prompt_behind_tokens_that_were_read_for_another_sees_what_the_model_lets_it(what: str) -> None:
    model = of_kind(KINDS[what][0], **KINDS[what][1])
    common = [token for prompt in prompts(9, 60, seed=1) for token in prompt][:18]
    asked = [[*common, *end] for end in ([9], [10, 11], [12, 13, 14])]  # the last two get a copy of what the first read
    assert decode(model, asked, [12] * 3, end_id=END, slots=3) == [alone(model, prompt, 12) for prompt in asked]


@pytest.mark.parametrize("what", ["a window", "windows in some layers, capped scores", "chunks"])
def test_shared_tokens_of_which_a_cache_holds_only_the_last(what: str) -> None:
    model = of_kind(KINDS[what][0], **KINDS[what][1])
    before, asked = list(range(8, 20)), [[9], [10, 11], [12, 13, 14]]
    shared = DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=torch.tensor([before]), past_key_values=shared, use_cache=True)
    assert min(layer.keys.shape[2] for layer in shared.layers) < len(before) == shared.get_seq_length()
    found = decode(model, asked, [9] * 3, end_id=END, slots=2, shared=shared)
    assert found == [alone(model, before + prompt, 9) for prompt in asked]


def test_a_mask_is_made_once_for_all_layers_that_have_it_and_not_for_those_that_hide_nothing() -> None:
    model = of_kind("gemma3_text", head_dim=8, num_hidden_layers=6, sliding_window=4, layer_types=[
        "sliding_attention", "sliding_attention", "full_attention"] * 2)  # fmt: skip
    masks = prove_once(model, range(8, 20), None, 24, None)
    assert masks[2] is masks[5] is None and len({*masks} - {None}) == 1
    slots = SlotAttention(SlotCache(2), 24)
    slots.masks = masks
    rows = [Row(slot, 0, list(range(8, 18 + slot))) for slot in range(2)]
    with attending_over(model, slots):
        logits_of(model, slots, [], rows[:1])
        rows[0].read, rows[0].pending = 10, [9]
        logits_of(model, slots, rows[:1], rows[1:])
    assert isinstance(slots.step, Step)
    rule = masks[0]
    assert slots.step.added(rule, 2, torch.float32) is slots.step.added(rule, 2, torch.float32)
    assert slots.step.seen_by(rule)[0, 0].tolist() == [False] * 7 + [True] * 4
    assert slots.step.seen_in_prompts(rule, 0, 11).sum(1).tolist() == [1, 2, 3] + [4] * 8


def test_windows_and_chunks_that_no_text_reaches_beyond_are_plain_attention() -> None:
    model = of_kind("mistral", sliding_window=16)
    assert prove_once(model, range(8, 20), None, 17, None)[0] is not None
    assert prove_once(model, range(8, 20), None, 16, None) == (None, None)
