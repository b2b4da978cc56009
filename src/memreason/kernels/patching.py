"""The ways in which a part of one model is replaced for a while. Nothing of another model is touched.

transformers' layers look for functions in the module file that defines them. To replace such a function there would
replace it for every model of that family, also for one that runs in another thread. So what is replaced is always an
attribute of one model's own modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, MethodType
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from memreason.errors import Unsupported

Replacement = tuple[nn.Module, Mapping[str, Any]]
"""A module, and the attributes that it has for a while; ``__class__`` makes it one of another class."""


@contextmanager
def replaced(replacements: Iterable[Replacement]) -> Iterator[None]:
    """Within, modules have other attributes; afterwards they are as before, whatever is raised.

    An attribute that a module did not have itself (such as ``forward``, which its class has) is gone afterwards.
    Replacements are made one by one, so a generator may raise half-way.
    """
    before: list[tuple[nn.Module, type, Mapping[str, Any], dict[str, Any]]] = []
    try:
        for module, attributes in replacements:
            own = {name: vars(module)[name] for name in attributes if name in vars(module)}
            before.append((module, type(module), attributes, own))
            for name, value in attributes.items():
                setattr(module, name, value)
        yield
    finally:
        for module, kind, attributes, own in reversed(before):
            if "__class__" in attributes:
                module.__class__ = kind
            for name in attributes:
                vars(module).pop(name, None)
            vars(module).update(own)


def forward_with(module: nn.Module, name: str, function: Callable[..., Any]) -> MethodType:
    """``module``'s forward, which finds ``function`` where it looks for ``name`` in the file that defines it.

    It is the same code with a copy of that file's names, one of which is another.
    """
    forward = type(module).forward
    copy = FunctionType(
        forward.__code__, {**forward.__globals__, name: function}, forward.__name__, forward.__defaults__,
        forward.__closure__,
    )  # fmt: skip
    copy.__kwdefaults__ = forward.__kwdefaults__
    return MethodType(copy, module)


def function_of_forward(module: nn.Module, name: str) -> Callable[..., Any] | None:
    """The function that ``module``'s forward calls by ``name``; None where it calls none.

    None too where the forward is not plain: one that a decorator wraps, or that was replaced already (accelerate's
    hooks).
    """
    forward: Any = type(module).forward
    if "forward" in vars(module) or not isinstance(forward, FunctionType) or name not in forward.__code__.co_names:
        return None
    return forward.__globals__.get(name)


@contextmanager
def attention_implementation(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Within, ``model`` attends by the function that transformers knows by ``name``.

    Raises Unsupported where the model does not let its attention be chosen.
    """
    usual = attention_in_use(model.config)
    try:
        model.set_attn_implementation(name)
    except ValueError as error:
        raise Unsupported(str(error)) from error
    try:
        yield
    finally:
        model.set_attn_implementation(usual)


def attention_in_use(config: Any) -> str:
    """The attention of the model with this config, as `model.set_attn_implementation` takes it: `eager`, `sdpa`, …"""
    return config._attn_implementation
