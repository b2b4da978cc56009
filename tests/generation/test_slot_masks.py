"""Masks are learned from a model's own description, and refused where they cannot be those of a decoder."""

import pytest
import torch
from transformers.masking_utils import and_masks, causal_mask_function, chunked_causal_mask_function
from transformers.masking_utils import sliding_window_causal_mask_function as window

from memreason.errors import Unsupported
from memreason.generation.slot_masks import checked, described, within
from memreason.kernels.attention_masks import Seen

CPU = torch.device("cpu")
PLACES = torch.arange(200)


def test_causal_attention_is_no_mask() -> None:
    assert described(200, mask_function=causal_mask_function, device=CPU) is None
    assert described(200, mask_function=window(200), device=CPU, local_size=200) is None


def test_a_custom_function_that_hides_nothing_is_no_mask_and_another_is_refused() -> None:
    everything = and_masks(causal_mask_function, lambda batch, head, query, key: key >= 0)
    assert described(200, mask_function=everything, device=CPU, use_vmap=True) is None
    with pytest.raises(Unsupported, match="of its own"):
        described(200, mask_function=window(9), device=CPU, use_vmap=True)


def test_a_window_and_a_chunk_are_drawn_at_any_positions() -> None:
    seen = described(200, mask_function=window(70), device=CPU, local_size=70)
    assert seen is not None
    at = torch.tensor([[[5], [69]], [[70], [199]]])  # (slots, width, 1)
    assert seen.at(at, PLACES).sum(-1).tolist() == [[6, 70], [70, 70]]
    chunk = described(
        200, mask_function=chunked_causal_mask_function(64, torch.zeros(1, dtype=torch.long)), device=CPU, local_size=64
    )
    assert chunk is not None
    assert chunk.at(at, PLACES).sum(-1).tolist() == [[6, 6], [7, 8]]


def test_descriptions_that_are_alike_become_one() -> None:
    masks = [Seen(window(size), size, CPU) for size in (9, 12, 9)]
    found = checked([masks[0], None, masks[1], masks[2], masks[0]], 200, CPU)
    assert found == (masks[0], None, masks[1], masks[0], masks[0])


@pytest.mark.parametrize("function", [
    lambda batch, head, query, key: (query - key).abs() < 9,  # what follows
    lambda batch, head, query, key: (key <= query) | ((query > 150) & (key >= 0)),  # what follows, in long texts alone
    window(0),  # nothing
])  # fmt: skip
def test_what_no_decoder_sees_is_refused(function: object) -> None:
    with pytest.raises(Unsupported, match="what follows"):
        checked([Seen(function, None, CPU)], 200, CPU)  # type: ignore[arg-type]


def test_what_a_text_is_too_short_for_is_left_out() -> None:
    short, long = (Seen(window(size), size, CPU) for size in (9, 90))
    assert within((short, None, long, short), 200, CPU) == (short, None, long, short)
    assert within((short, None, long, short), 90, CPU) == (short, None, None, short)
    assert within((short, None, long, short), 9, CPU) == (None,) * 4
