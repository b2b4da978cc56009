"""What a model asks of its attention is passed on whole, or refused: nothing is left out in silence."""

import pytest
import torch
from transformers import LlamaConfig, MistralConfig
from transformers.masking_utils import (
    AttentionMaskInterface,
    create_causal_mask,
    create_masks_for_generate,
    create_sliding_window_causal_mask,
)

from memreason.errors import Unsupported
from memreason.kernels.attention_masks import Seen, mask_of, seen_of
from memreason.kernels.varlen_attention import Documents

NAME = "attention_of_a_test"
AttentionMaskInterface.register(NAME, mask_of)
VECTORS = torch.zeros(1, 7, 4)
PLACES = torch.tensor([[0, 1, 2, 3, 4, 0, 1]])
CPU = torch.device("cpu")


def config_of(kind: type = LlamaConfig, **options: object) -> object:
    config = kind(**options)
    config._attn_implementation = NAME
    return config


def test_without_a_window_all_that_comes_before_is_seen() -> None:
    seen = create_causal_mask(config_of(), VECTORS, None, None, PLACES)
    assert seen.is_plain(10**6)
    assert torch.equal(seen.among(0, 5), torch.ones(5, 5, dtype=torch.bool).tril())
    assert Documents.of([5, 2], CPU, doubted=True).mask(seen) is None


def test_a_window_shows_in_texts_that_are_longer() -> None:
    seen = create_sliding_window_causal_mask(config_of(MistralConfig, sliding_window=2), VECTORS, None, None, PLACES)
    assert seen.is_plain(2) and not seen.is_plain(3)
    of_five = torch.ones(5, 5, dtype=torch.bool).tril().triu(-1)
    assert torch.equal(seen.among(0, 5), of_five)
    for doubted in (False, True):
        assert torch.equal(Documents.of([5, 2], CPU, doubted).mask(seen), of_five)


def test_windows_that_do_not_begin_anew_with_each_text_are_refused_where_they_are_doubted() -> None:
    seen = create_sliding_window_causal_mask(config_of(MistralConfig, sliding_window=2), VECTORS, None, None)
    with pytest.raises(Unsupported, match="begin anew"):
        Documents.of([5, 2], CPU, doubted=True).mask(seen)


@pytest.mark.parametrize("local_size", [None, 3])
def test_what_sees_what_follows_is_refused_where_it_is_doubted(local_size: int | None) -> None:
    seen = Seen(lambda batch, head, query, key: query + key >= 0, local_size, CPU)
    with pytest.raises(Unsupported):
        Documents.of([5, 2], CPU, doubted=True).mask(seen)


def test_padding_and_functions_of_a_models_own_are_refused() -> None:
    with pytest.raises(Unsupported, match="padding"):
        create_causal_mask(config_of(), VECTORS, torch.ones(1, 7), None)
    with pytest.raises(Unsupported, match="of its own"):
        create_masks_for_generate(config_of(), VECTORS, None, None, PLACES, and_mask_function=lambda b, h, q, k: q > k)


@pytest.mark.parametrize("name", ["softcap", "s_aux", "position_bias", "alibi", "what_comes_next_year"])
def test_an_option_that_is_not_known_to_be_harmless_is_refused(name: str) -> None:
    seen = mask_of(mask_function=lambda *_: None)
    assert seen_of(seen, {name: None, "sliding_window": 3, "position_ids": PLACES, "is_causal": True}) is seen
    for value in (torch.zeros(1), 0.0, False):
        with pytest.raises(Unsupported, match=name):
            seen_of(seen, {name: value})


def test_two_way_attention_and_a_mask_that_a_model_made_itself_are_refused() -> None:
    with pytest.raises(Unsupported, match="is_causal"):
        seen_of(mask_of(mask_function=lambda *_: None), {"is_causal": False})
    for mask in (None, torch.ones(1, 1, 7, 7)):
        with pytest.raises(Unsupported, match="of its own"):
            seen_of(mask, {})
