"""A part of one model is replaced for a while: only of that one, and never for longer."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from memreason.errors import Unsupported
from memreason.kernels.patching import (
    Replacement,
    attention_implementation,
    forward_with,
    function_of_forward,
    replaced,
)


def doubled(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


def helper(x: torch.Tensor) -> torch.Tensor:
    return x + 1


class Doubling(nn.Identity):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return doubled(x)


class Calling(nn.Module):
    def forward(self, x: torch.Tensor, *, times: int = 1) -> torch.Tensor:
        return times * helper(x)


class Decorated(nn.Module):
    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return helper(x)


ONE = torch.ones(())


def test_attributes_and_classes_are_others_within_and_the_first_ones_afterwards() -> None:
    first, second = nn.Identity(), nn.Identity()
    first.note = "kept"
    before = [dict(vars(module)) for module in (first, second)]
    with replaced([(first, {"__class__": Doubling, "note": "new"}), (second, {"forward": doubled})]):
        assert (first(ONE), first.note, second(ONE)) == (2, "new", 2)
        with replaced([(first, {"forward": helper, "note": "inner"})]):
            assert (first.note, first.forward(3)) == ("inner", 4)
        assert (first(ONE), first.note) == (2, "new")
    assert [dict(vars(module)) for module in (first, second)] == before
    assert type(first) is nn.Identity and first(ONE) == second(ONE) == 1


def test_what_was_replaced_comes_back_where_a_later_replacement_fails() -> None:
    module = nn.Identity()

    def half_way() -> Iterator[Replacement]:
        yield module, {"forward": doubled}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), replaced(half_way()):
        pass
    assert "forward" not in vars(module)


def test_a_forward_finds_another_function_by_the_same_name_and_only_in_that_module() -> None:
    first, second = Calling(), Calling()
    assert function_of_forward(first, "helper") is helper
    with replaced([(first, {"forward": forward_with(first, "helper", doubled)})]):
        assert (first(ONE, times=3), second(ONE, times=3)) == (6, 6) and first(ONE * 5) == 10
        assert function_of_forward(first, "helper") is None  # replaced already
    assert first(ONE * 5) == 6


def test_a_forward_that_a_decorator_wraps_or_that_calls_no_such_function_is_left_alone() -> None:
    assert function_of_forward(Decorated(), "helper") is None
    assert function_of_forward(nn.Identity(), "helper") is None


def test_a_model_attends_by_another_function_for_a_while_and_no_other_model_does() -> None:
    sizes = dict(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    first, second = (LlamaForCausalLM(LlamaConfig(**sizes)) for _ in range(2))
    usual = first.config._attn_implementation
    with pytest.raises(ZeroDivisionError), attention_implementation(first, "eager"):
        assert (first.config._attn_implementation, second.config._attn_implementation) == ("eager", usual)
        _ = 1 / 0
    assert first.config._attn_implementation == usual
    with pytest.raises(Unsupported), attention_implementation(first, "no such attention"):
        pass
