"""Gradients × input are those of the answer's log-probability."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.attributed import trace_of, unit_of
from helpers.units import train_a_little

from memreason.errors import UserError
from memreason.explain.attention.gradients import grad_x_input
from memreason.explain.attention.text import text_of
from memreason.models.unit import ModelUnit, bare


@pytest.fixture(scope="module")
def unit(bases: dict[str, Path]) -> ModelUnit:
    unit = unit_of(bases["tied"])
    train_a_little(unit)
    return unit


def test_they_are_those_of_the_log_probability_of_the_answers_own_tokens(unit: ModelUnit) -> None:
    text = text_of(unit, trace_of(unit))
    assert text.said is not None
    with unit.merged() as merged:
        model = bare(merged)
        found = grad_x_input(model, text, unit.prefix_cache)
        ids = torch.tensor([text.ids])
        inputs = model.get_input_embeddings()(ids).detach().requires_grad_()
        logprobs = model(inputs_embeds=inputs).logits[0].log_softmax(-1)
        sum(logprobs[place - 1, text.ids[place]] for place in text.said).backward()
    assert inputs.grad is not None and found.token_map is not None
    products = (inputs.grad * inputs)[0].sum(-1).detach().numpy()
    np.testing.assert_allclose(found.token_map[0], products, atol=1e-5)
    shares = np.abs(products) / np.abs(products).sum()
    row = [shares[span.start : span.end].sum() for span in text.spans]
    np.testing.assert_allclose(found.step_map[-1], row, atol=1e-4)
    assert np.isnan(found.step_map[:-1]).all()
    assert sum(found.mass.values()) == pytest.approx(1, abs=1e-4)


def test_nothing_of_them_stays_in_the_model(unit: ModelUnit) -> None:
    text = text_of(unit, trace_of(unit))
    with unit.merged() as merged:
        before = {name: one.clone() for name, one in merged.named_parameters()}
        grad_x_input(bare(merged), text, unit.prefix_cache)
        assert all(one.grad is None for one in merged.parameters())
        assert all(torch.equal(one, before[name]) for name, one in merged.named_parameters())
        assert not any("forward" in vars(module) for module in bare(merged).model.layers)


def test_a_trace_without_an_answer_is_refused(unit: ModelUnit) -> None:
    trace = unit.layout.parse(trace_of(unit).question, "<prefix_0><memory_0><memory_1> Paris.", truncated=True)
    with unit.merged() as merged, pytest.raises(UserError, match="no answer line"):
        grad_x_input(bare(merged), text_of(unit, trace), unit.prefix_cache)
