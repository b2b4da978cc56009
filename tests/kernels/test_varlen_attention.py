"""One row of several texts: each gives the logits and gradients that it gives on its own."""

from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    Llama4ForCausalLM,
    Llama4TextConfig,
    MistralConfig,
    MistralForCausalLM,
)

from memreason.errors import Unsupported
from memreason.kernels.varlen_attention import _AT_ONCE, NAME, Documents, _fused_attention, _GroupedAttention

LENGTHS = ([5], [3, 3, 3], [7, 1, 4, 2])


def row(lengths: list[int]) -> dict:
    generator = torch.Generator().manual_seed(0)
    return {
        "input_ids": torch.randint(0, 200, (1, sum(lengths)), generator=generator),
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        "documents": Documents.of(lengths, torch.device("cpu")),
        "use_cache": False,
    }


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("shape", ["untied", "padded", "tied"])
def test_logits_and_gradients_are_those_of_each_text_alone(
    bases: dict[str, Path], shape: str, lengths: list[int]
) -> None:
    model = AutoModelForCausalLM.from_pretrained(bases[shape])
    inputs = row(lengths)
    weights = [p for name, p in model.named_parameters() if "_proj" in name]
    alone = [model(input_ids=ids).logits[0] for ids in inputs["input_ids"].split(lengths, 1)]
    expected = torch.cat(alone)
    by_weight = torch.autograd.grad(expected.logsumexp(-1).square().sum(), weights)
    model.set_attn_implementation(NAME)
    found = model(**inputs).logits[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(torch.autograd.grad(found.logsumexp(-1).square().sum(), weights), by_weight, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_spreading_texts_and_gathering_them_is_the_identity() -> None:
    for lengths in LENGTHS:
        documents, x = Documents.of(lengths, torch.device("cpu")), torch.randn(sum(lengths), 3, 4)
        grid = documents.spread(x)
        assert grid.shape == (len(lengths), max(lengths), 3, 4)
        assert torch.equal(documents.gather(grid), x)
        assert grid.abs().sum() == pytest.approx(x.abs().sum().item())


def test_long_texts_are_attended_to_in_portions(bases: dict[str, Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(bases["tied"])
    lengths = [500, 400, 450, 420, 430]
    assert sum(4 * length**2 for length in lengths) > 2 * _AT_ONCE
    inputs = row(lengths)
    alone = torch.cat([model(input_ids=ids).logits[0] for ids in inputs["input_ids"].split(lengths, 1)])
    model.set_attn_implementation(NAME)
    torch.testing.assert_close(model(**inputs).logits[0], alone, rtol=1e-3, atol=1e-4)


def test_no_gradient_reaches_another_text(bases: dict[str, Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(bases["tied"])
    model.set_attn_implementation(NAME)
    inputs = row([4, 6])
    vectors = model.get_input_embeddings()(inputs.pop("input_ids")).detach().requires_grad_()
    model(inputs_embeds=vectors, **inputs).logits[0, 4:].sum().backward()
    assert (vectors.grad[0, :4] == 0).all() and (vectors.grad[0, 4:] != 0).any()


SIZES = dict(vocab_size=256, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, head_dim=8, pad_token_id=0)  # fmt: skip


MLA = dict(kv_lora_rank=16, q_lora_rank=None, qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=16,
           n_routed_experts=2, num_experts_per_tok=1, n_shared_experts=1, moe_intermediate_size=16,
           first_k_dense_replace=1, n_group=1, topk_group=1)  # fmt: skip
MODELS = {
    "windows": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=6)),
    "windows in some layers": lambda: Gemma3ForCausalLM(
        Gemma3TextConfig(**SIZES, sliding_window=6, layer_types=["sliding_attention", "full_attention"])
    ),
    "chunks": lambda: Llama4ForCausalLM(
        Llama4TextConfig(**SIZES, intermediate_size_mlp=48, attention_chunk_size=6, num_local_experts=2,
                         layer_types=["chunked_attention", "full_attention"])
    ),
    "values smaller than keys": lambda: DeepseekV3ForCausalLM(
        DeepseekV3Config(**SIZES | {"num_key_value_heads": 4} | MLA)
    ),
}  # fmt: skip


@pytest.mark.parametrize("doubted", [True, False])
@pytest.mark.parametrize("lengths", [[5, 3], [20, 4, 20], [300, 9]])
@pytest.mark.parametrize("kind", MODELS)
def test_windows_chunks_and_values_of_another_size_are_what_they_are_to_each_text_alone(
    kind: str, lengths: list[int], doubted: bool
) -> None:
    torch.manual_seed(0)
    model = MODELS[kind]().eval()
    model.set_attn_implementation("eager")
    inputs = row(lengths)
    weights = [p for name, p in model.named_parameters() if "attn" in name and "norm" not in name]
    expected = torch.cat([model(input_ids=ids).logits[0] for ids in inputs["input_ids"].split(lengths, 1)])
    by_weight = torch.autograd.grad(expected.logsumexp(-1).square().sum(), weights)
    model.set_attn_implementation(NAME)
    inputs["documents"] = Documents.of(lengths, torch.device("cpu"), doubted)
    found = model(**inputs).logits[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(torch.autograd.grad(found.logsumexp(-1).square().sum(), weights), by_weight, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("value_size", [8, 5])
@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("lengths", [[7, 1, 4, 2], [6, 6]])
def test_torchs_fused_attention_gives_the_same(lengths: list[int], window: int | None, value_size: int) -> None:
    documents = Documents.of(lengths, torch.device("cpu"))
    mask = None if window is None else torch.ones(max(lengths), max(lengths), dtype=torch.bool).tril().triu(1 - window)
    shapes = [(4, 8), (2, 8), (2, value_size)]
    inputs = [torch.randn(sum(lengths), *shape, requires_grad=True) for shape in shapes]
    found = []
    for attend in (_GroupedAttention.apply, _fused_attention):
        result = attend(*inputs, documents, 0.3, mask)
        found.append([result, *torch.autograd.grad(result.square().sum(), inputs)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_capped_attention_scores_are_refused() -> None:
    model = Gemma2ForCausalLM(Gemma2Config(**SIZES, query_pre_attn_scalar=8))
    model.set_attn_implementation(NAME)
    with pytest.raises(Unsupported, match="softcap"):
        model(**row([4, 5]))
