"""Continuous batching gives what decoding each prompt alone gives, whoever else is under way."""

from pathlib import Path

import pytest
import torch
from helpers.decoding import END, alone, decode, prompts
from helpers.tiny import SHAPES
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    DynamicCache,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from memreason.generation import slot_proof

PROOF = 5
"""Passes over a dozen tokens: two texts by way of the slots, and plainly."""


@pytest.fixture(params=SHAPES)
def model(request: pytest.FixtureRequest, bases: dict[str, Path]) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(bases[request.param], dtype=torch.float32).eval()


def small(kind: type, config: type, **options: object) -> PreTrainedModel:
    torch.manual_seed(0)
    sizes = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": None, "eos_token_id": END}  # fmt: skip
    return kind(config(**{**sizes, **options})).eval()


@pytest.mark.parametrize("slots", [1, 3, 50])
def test_every_prompt_gets_the_ids_that_it_gets_alone(model: PreTrainedModel, slots: int) -> None:
    asked = prompts(12, model.config.vocab_size)
    room = [5 + 3 * (i % 5) for i in range(12)]  # rows end at different times
    expected = [alone(model, prompt, size) for prompt, size in zip(asked, room, strict=True)]
    assert decode(model, asked, room, end_id=END, slots=slots) == expected
    assert model.config._attn_implementation == "sdpa"  # as it was


def test_the_end_token_ends_a_row_and_is_a_part_of_it(model: PreTrainedModel) -> None:
    asked = prompts(6, model.config.vocab_size)
    free = decode(model, asked, [12] * 6, end_id=-1, slots=3)
    end = free[0][4]
    first = [ids[: ids.index(end) + 1] if end in ids else ids for ids in free]
    assert decode(model, asked, [12] * 6, end_id=end, slots=3) == first


@pytest.mark.parametrize("draft", ["right", "wrong", "half right", "too many"])
def test_drafts_change_nothing(model: PreTrainedModel, draft: str) -> None:
    asked = prompts(7, model.config.vocab_size)
    expected = decode(model, asked, [20] * 7, end_id=END, slots=3)
    after = {tuple(ids[: i + 1]): ids[i + 1 : i + 4] for ids in expected for i in range(len(ids))}

    def drafts(generated: list[int], _: int) -> list[int]:
        right = after[tuple(generated)]
        return {"right": right, "wrong": [9, 9], "half right": [*right[:1], 9],
                "too many": [*right, 9, 9, 9, 9]}[draft]  # fmt: skip

    assert decode(model, asked, [20] * 7, end_id=END, slots=3, draft=drafts) == expected


def test_right_drafts_save_passes(model: PreTrainedModel) -> None:
    asked = prompts(4, model.config.vocab_size)
    expected = decode(model, asked, [20] * 4, end_id=-1, slots=4)
    after = {tuple(ids[: i + 1]): ids[i + 1 : i + 4] for ids in expected for i in range(len(ids))}
    slot_proof._PROVEN.clear()
    passes = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    decode(model, asked, [20] * 4, end_id=-1, slots=4)
    without = len(passes)
    decode(model, asked, [20] * 4, end_id=-1, slots=4, draft=lambda generated, _: after[tuple(generated)])
    # The first begins with a proof that this model can be read so; then the prompt, and one or four at a time.
    assert without == PROOF + 20 and len(passes) - without == 6


def test_a_forced_id_is_generated_whatever_the_model_says(model: PreTrainedModel) -> None:
    asked = prompts(5, model.config.vocab_size)

    def forced(generated: list[int]) -> int | None:
        return 11 if len(generated) % 4 == 2 else None

    found = decode(model, asked, [10] * 5, end_id=-1, slots=2, forced=forced, draft=lambda *_: [11, 11])
    for prompt, ids in zip(asked, found, strict=True):
        assert ids[2] == ids[6] == 11
        assert ids[3:6] == alone(model, [*prompt, *ids[:3]], 3)  # and it goes on from there


def test_a_row_can_end_without_an_end_token(model: PreTrainedModel) -> None:
    asked = prompts(5, model.config.vocab_size)
    expected = [ids[:3] for ids in decode(model, asked, [10] * 5, end_id=-1, slots=2)]
    assert (
        decode(model, asked, [10] * 5, end_id=-1, slots=2, is_ended=lambda generated: len(generated) == 3) == expected
    )


def test_what_stands_before_every_prompt_is_read_once(model: PreTrainedModel) -> None:
    before, *asked = prompts(9, model.config.vocab_size)
    shared = DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=torch.tensor([before]), past_key_values=shared, use_cache=True)
    found = decode(model, asked, [9] * 8, end_id=END, slots=3, shared=shared)
    assert found == [alone(model, before + prompt, 9) for prompt in asked]
    assert shared.get_seq_length() == len(before)


def test_who_has_ended_is_told_at_once(model: PreTrainedModel) -> None:
    ended: dict[int, list[int]] = {}
    decode(model, prompts(6, 60), [3, 20, 3, 3, 3, 3], on_ended=ended.__setitem__, end_id=-1, slots=2)
    assert sorted(ended) == list(range(6)) and list(ended)[-1] == 1  # four others took turns beside the longest


@pytest.mark.parametrize("family", ["qwen3", "gpt2", "mistral"])
def test_other_families_of_models(family: str) -> None:
    if family == "qwen3":
        model = small(Qwen3ForCausalLM, Qwen3Config, head_dim=8)
    elif family == "gpt2":
        model = small(GPT2LMHeadModel, GPT2Config, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    else:
        model = small(MistralForCausalLM, MistralConfig, sliding_window=None)
    asked = prompts(6, 60)
    assert decode(model, asked, [8] * 6, end_id=END, slots=3) == [alone(model, prompt, 8) for prompt in asked]


def test_drafts_do_not_reach_past_the_room_there_is() -> None:
    model = small(GPT2LMHeadModel, GPT2Config, n_embd=32, n_layer=2, n_head=4, n_positions=24)
    (prompt,) = prompts(1, 60, seed=3)
    room = 24 - len(prompt)
    expected = decode(model, [prompt], [room], end_id=-1, slots=1)
    assert decode(model, [prompt], [room], end_id=-1, slots=1, draft=lambda *_: [9, 9, 9]) == expected


def test_adapters_around_the_model_change_nothing_about_which_logits_are_computed() -> None:
    bare = small(Qwen3ForCausalLM, Qwen3Config, head_dim=8)
    asked = prompts(4, 60)
    expected = decode(bare, asked, [5] * 4, end_id=END, slots=4)
    wrapped = get_peft_model(bare, LoraConfig(target_modules=["up_proj"]))
    rows: list[int] = []
    bare.lm_head.register_forward_hook(lambda module, inputs, output: rows.append(output.shape[1]))
    assert decode(wrapped, asked, [5] * 4, end_id=END, slots=4) == expected
    assert max(rows) == 4


def test_nothing_to_do() -> None:
    assert decode(small(Qwen3ForCausalLM, Qwen3Config, head_dim=8), [], [], end_id=END, slots=4) == []
