"""One row of several texts: each gives the logits and gradients that it gives on its own."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma2ForCausalLM, MistralConfig, MistralForCausalLM

from memreason.document_attention import _AT_ONCE, NAME, Documents
from memreason.errors import Unsupported

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


def test_a_sliding_window_is_refused_only_where_it_is_shorter_than_a_text() -> None:
    model = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=6))
    model.set_attn_implementation(NAME)
    model(**row([6, 5]))
    with pytest.raises(Unsupported, match="sliding_window"):
        model(**row([7, 5]))


def test_capped_attention_scores_are_refused() -> None:
    model = Gemma2ForCausalLM(Gemma2Config(**SIZES, query_pre_attn_scalar=8))
    model.set_attn_implementation(NAME)
    with pytest.raises(Unsupported, match="softcap"):
        model(**row([4, 5]))
