"""What is seen are the model's own weights, whatever attention it was loaded with."""

from pathlib import Path

import pytest
import torch
from helpers.architectures import ARCHITECTURES, make
from helpers.attributed import ids_only, trace_of, unit_of
from transformers import AutoModelForCausalLM, PreTrainedModel

from memreason.errors import UserError
from memreason.explain.attention.methods import attribute
from memreason.explain.attention.text import Text, text_of
from memreason.explain.attention.watch import watch
from memreason.generation.agreement import forget_lengths
from memreason.kernels.patching import EAGER, attention_implementation
from memreason.models.unit import bare

BY_NAME = {one.name: one for one in ARCHITECTURES}
TEXT = ids_only(90)
"""Longer than the windows, and than a piece."""


class Everything:
    """Keeps all weights."""

    def __init__(self, text: Text):
        self.text = text
        self.layers: dict[int, torch.Tensor] = {}

    def see(self, layer: int, heads: slice, rows: slice, weights: torch.Tensor) -> None:
        size = len(self.text.tokens)
        kept = self.layers.setdefault(layer, torch.zeros(64, size, size))
        kept[heads, self.text.before + rows.start : self.text.before + rows.stop] = weights

    def end(self, layer: int, rows: slice) -> None:
        pass


def eager(model: PreTrainedModel, text: Text) -> list[torch.Tensor]:
    """(heads, tokens, tokens) of each layer, by the eager model's `output_attentions`."""
    forget_lengths(model)
    with attention_implementation(model, EAGER), torch.no_grad():
        out = model(input_ids=torch.tensor([text.ids]), output_attentions=True, use_cache=False)
    return [one[0] for one in out.attentions if one is not None]


def check(model: PreTrainedModel, text: Text) -> tuple[int, ...]:
    """That the weights are those of the eager model; the numbers of the layers."""
    seen, layers = watch(model, text, lambda: None, lambda: Everything(text))
    wanted = eager(model, text)
    assert len(seen.layers) == len(wanted) == len(layers)
    for number, weights in enumerate(wanted):
        assert (seen.layers[number][: len(weights)] - weights).abs().max() < 1e-5
    return layers


@pytest.mark.parametrize(
    "name",
    [
        "llama",  # grouped heads
        "gpt2",
        "mistral_window",
        "gemma2",  # windows and soft caps
        "llama4_text",  # chunks
        "gpt_oss",  # sinks and windows
        "gemma4_text",  # layers that share keys; with logits for one token, the last layers skip the others
        "deepseek_v3",  # latent attention
        "doge",  # a mask of its own
        "diffllama",  # attends twice in a layer
        "bloom",  # attention of its own, with ALiBi
        "falcon",  # attention of its own, which does not let its implementation be set
        "openai-gpt",  # no cache of keys and values
    ],
)
def test_the_weights_are_those_of_the_eager_model(name: str, tmp_path: Path) -> None:
    make(BY_NAME[name], tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    layers = check(model, TEXT)
    assert layers == tuple(range(model.config.get_text_config().num_hidden_layers))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_it_does_not_matter_with_which_attention_a_model_was_loaded(attention: str, bases: dict[str, Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(bases["padded"], attn_implementation=attention).eval()
    check(model, TEXT)
    assert model.config._attn_implementation == attention


def test_of_a_model_with_state_spaces_only_the_layers_that_attend_are_seen(tmp_path: Path) -> None:
    make(BY_NAME["jamba"], tmp_path)
    assert check(AutoModelForCausalLM.from_pretrained(tmp_path).eval(), TEXT) == (1,)


def test_a_model_without_attention_is_refused_with_a_reason(tmp_path: Path) -> None:
    make(BY_NAME["mamba"], tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    with pytest.raises(UserError, match=r"no attention weights.*state spaces.*grad_x_input"):
        watch(model, TEXT, lambda: None, lambda: Everything(TEXT))


def test_a_trained_prefix_is_read_too(bases: dict[str, Path]) -> None:
    unit = unit_of(bases["untied"], "prefix-tuning", add_soft_prompts=False)
    text = text_of(unit, trace_of(unit))
    with unit.merged() as model:
        seen, _ = watch(bare(model), text, unit.prefix_cache, lambda: Everything(text))
    assert (before := text.before) > 0
    assert [span.name for span in text.spans][:2] == ["trained prefix", "first token"]
    for weights in seen.layers.values():
        assert torch.allclose(weights[:4, before:].sum(-1), torch.ones(()))
        assert weights[:4, before:, :before].min() > 0
    (found,) = attribute(unit, [trace_of(unit)])
    assert found.to_json()["step_map"][0] is None and found.mass["prefix"] > 0
