"""A method is applied to what a unit wrote, with its adapters merged, and leaves the unit as it was."""

from pathlib import Path

import pytest
import torch
from helpers.architectures import ARCHITECTURES, make
from helpers.attributed import trace_of, unit_of
from helpers.units import train_a_little

from memreason.errors import UserError
from memreason.explain.attention.config import NAMES
from memreason.explain.attention.methods import METHODS, attribute
from memreason.generation.engine import Engine


def test_each_method_is_applied_to_all_traces_and_the_unit_is_as_before(bases: dict[str, Path]) -> None:
    unit = unit_of(bases["padded"])
    train_a_little(unit)
    before = {name: one.clone() for name, one in unit.model.state_dict().items()}
    traces = [trace_of(unit, number) for number in (0, 1, 2, 3, 0)]
    for method in METHODS:
        found = attribute(unit, traces, method)
        assert [one.trace_id for one in found] == ["q0", "q1", "q2", "q3", "q0"]
        assert {one.method for one in found} == {method}
        assert found[0].to_json() == found[4].to_json() != found[1].to_json()
    assert all(torch.equal(one, before[name]) for name, one in unit.model.state_dict().items())
    with pytest.raises(UserError, match=r"method 'rolout'.*did you mean rollout"):
        attribute(unit, traces, "rolout")


def test_an_engine_of_the_same_thread_must_be_closed_first(bases: dict[str, Path]) -> None:
    unit = unit_of(bases["tied"])
    with unit.merged(), pytest.raises(UserError, match="in use by an engine of the same thread"):
        attribute(unit, [trace_of(unit)])
    assert isinstance(Engine(unit).unit.model, type(unit.model))


def test_the_names_of_the_options_are_those_of_the_methods() -> None:
    assert tuple(METHODS) == NAMES


@pytest.mark.parametrize(("name", "method"), [("bloom", "attention"), ("mamba", "grad_x_input")])
def test_a_model_without_a_longest_text_is_looked_at(name: str, method: str, tmp_path: Path) -> None:
    unit = unit_of(make(next(one for one in ARCHITECTURES if one.name == name), tmp_path), "none")
    (found,) = attribute(unit, [trace_of(unit)], method)
    assert sum(found.mass.values()) == pytest.approx(1, abs=1e-3)
