"""Sums over parts of the text are those of the whole matrices."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.architectures import ARCHITECTURES, make
from helpers.attributed import ids_only
from transformers import AutoModelForCausalLM, PreTrainedModel

from memreason.errors import UserError
from memreason.explain.attention import watch as module
from memreason.explain.attention.maps import attention, rollout, rollout_past_start
from memreason.explain.attention.text import Text
from memreason.kernels.patching import EAGER, attention_implementation

TEXT = ids_only(50)


def no_cache() -> None:
    return None


def weights_of(model: PreTrainedModel, text: Text = TEXT) -> np.ndarray:
    """(layers, heads, tokens, tokens)."""
    with attention_implementation(model, EAGER), torch.no_grad():
        out = model(input_ids=torch.tensor([text.ids]), output_attentions=True, use_cache=False)
    return np.stack([one[0].double().numpy() for one in out.attentions])


def means(weights: np.ndarray) -> np.ndarray:
    """(…, tokens, tokens) → (…, spans, spans)."""
    rows = [weights[..., span.start : span.end, :].mean(-2) for span in TEXT.spans]
    of = np.stack(rows, -2)
    return np.stack([of[..., span.start : span.end].sum(-1) for span in TEXT.spans], -1)


def model_of(name: str, folder: Path) -> PreTrainedModel:
    make(next(one for one in ARCHITECTURES if one.name == name), folder)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize("at_once", [1, 1 << 19])
def test_shares_between_steps_are_means_over_the_tokens_of_a_step(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    model = model_of("llama", tmp_path)
    found, weights = attention(model, TEXT, no_cache, (1, 2)), weights_of(model)
    assert found.maps is not None and found.by_kind is not None and found.token_map is not None
    np.testing.assert_allclose(found.maps, means(weights), atol=1e-5)
    np.testing.assert_allclose(found.step_map, means(weights).mean((0, 1)), atol=1e-5)
    np.testing.assert_allclose(found.token_map, weights[1, 2], atol=1e-5)
    reading = weights[:, :, TEXT.spans[3].start :]  # the last part is a reason step
    for number, span in enumerate(TEXT.spans):
        share = reading[..., span.start : span.end].sum(-1).mean(-1)
        np.testing.assert_allclose(found.by_kind[..., number], share, atol=1e-5)
        assert found.mass[span.type] == pytest.approx(share.mean(), abs=1e-5)
    assert sum(found.mass.values()) == pytest.approx(1, abs=1e-4)
    layer, head, most = found.heads(most=1)[0]
    assert most == pytest.approx(found.by_kind[..., 2].max()) == pytest.approx(found.by_kind[layer, head, 2])


def test_what_sinks_take_is_a_share_of_its_own(tmp_path: Path) -> None:
    model = model_of("gpt_oss", tmp_path)
    found = attention(model, TEXT, no_cache)
    assert found.mass["sink"] > 0.01
    assert sum(found.mass.values()) == pytest.approx(1, abs=1e-4)
    assert found.by_kind is not None and found.by_kind.shape[-1] == len(found.mass)


@pytest.mark.parametrize("name", ["llama", "gptj"])  # layer by layer, and piece by piece
def test_rollout_is_the_product_over_the_layers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", 16)
    model = model_of(name, tmp_path)
    mean = weights_of(model).mean(1)
    product = past_start = np.eye(len(TEXT.ids))
    for weights in mean:
        product = (weights + np.eye(len(weights))) / 2 @ product
        others = weights.copy()
        others[:, 0] = 0
        kept = np.diag(1 - others.sum(1))
        past_start = (others + kept + np.eye(len(weights))) / 2 @ past_start
    np.testing.assert_allclose(rollout(model, TEXT, no_cache).step_map, means(product), atol=1e-5)
    np.testing.assert_allclose(rollout_past_start(model, TEXT, no_cache).step_map, means(past_start), atol=1e-5)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    model = model_of("jamba", tmp_path)
    with pytest.raises(UserError, match="--layer 0: the layers with attention are 1 to 1"):
        attention(model, TEXT, no_cache, (0, 0))
    with pytest.raises(UserError, match="--head 4: the heads of a layer are 0 to 3"):
        attention(model, TEXT, no_cache, (1, 4))
    with pytest.raises(UserError, match="only 1 of the 2 layers"):
        rollout(model, TEXT, no_cache)
    with pytest.raises(UserError, match="over all layers and heads"):
        rollout(model, TEXT, no_cache, (1, 0))
