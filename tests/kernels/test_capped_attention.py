"""Attention with caps and sinks is what its formula says, however it is cut into parts."""

import pytest
import torch

from memreason.kernels import capped_attention as module
from memreason.kernels.capped_attention import capped_attention

TEXTS, HEADS, GROUPS, TOKENS, LENGTH, SIZE, VALUE = 3, 6, 2, 4, 9, 8, 5


def formula(query, keys, values, seen, scaling, softcap, sinks):
    keys, values = (x.repeat_interleave(HEADS // GROUPS, 1) for x in (keys, values))
    scores = query @ keys.transpose(2, 3) * scaling
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    scores = scores.masked_fill(~seen[:, None], -torch.inf)
    if sinks is not None:
        scores = torch.cat([scores, sinks[None, :, None, None].expand(*scores.shape[:3], 1)], -1)
    return torch.softmax(scores, -1)[..., :LENGTH] @ values


@pytest.mark.parametrize("at_once", [1, 1 << 22])
@pytest.mark.parametrize("softcap", [None, 0.5])
@pytest.mark.parametrize("with_sinks", [False, True])
def test_it_is_what_the_formula_says(
    softcap: float | None, with_sinks: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    torch.manual_seed(0)
    query = torch.randn(TEXTS, HEADS, TOKENS, SIZE)
    keys = torch.randn(TEXTS, LENGTH, GROUPS, SIZE).transpose(1, 2)  # as a cache holds them
    values = torch.randn(TEXTS, LENGTH, GROUPS, VALUE).transpose(1, 2)
    sinks = torch.randn(HEADS) if with_sinks else None
    for texts in (TEXTS, 1):
        seen = torch.rand(texts, TOKENS, LENGTH) < 0.5
        seen[..., 0] = True
        found = capped_attention(query, keys, values, seen, 0.3, softcap, sinks)
        torch.testing.assert_close(found, formula(query, keys, values, seen, 0.3, softcap, sinks))


def test_in_16_bits_weights_are_computed_in_float32() -> None:
    torch.manual_seed(0)
    query, keys, values = (torch.randn(1, heads, LENGTH, SIZE).bfloat16() for heads in (HEADS, GROUPS, GROUPS))
    seen, sinks = torch.ones(1, LENGTH, LENGTH, dtype=torch.bool).tril(), torch.randn(HEADS).bfloat16()
    found = capped_attention(query, keys, values, seen, 0.3, 2.0, sinks)
    exact = formula(query.float(), keys.float(), values.float(), seen, 0.3, 2.0, sinks.float())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, rtol=0.02, atol=0.02)
