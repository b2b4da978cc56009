"""Ways to replace a part of one model for a while, without any effect on other models.

transformers' layers look up functions by name in the file that defines the layer. A function replaced there would be
replaced for every model of that family, also for one that runs in another thread. So only attributes of one model's own
modules are replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, MethodType
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from memreason.errors import Unsupported

EAGER = "eager"
"""transformers' plain attention, which all models have."""
Replacement = tuple[nn.Module, Mapping[str, Any]]
"""A module, and the attributes that it has for a while; the attribute ``__class__`` changes its class."""


@contextmanager
def replaced(replacements: Iterable[Replacement]) -> Iterator[None]:
    """Within this context, modules have other attributes. Afterwards they are as before, also if an error is raised.

    An attribute that the module itself did not have before (such as ``forward``, which its class has) is then removed.
    Replacements are made one by one; if ``replacements`` is a generator that raises, those already made are undone.
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
    """A forward for ``module`` with the code of its own forward, in which the global ``name`` means ``function``.

    It has a copy of the global names of the file that defines it, with this one name replaced.
    """
    forward = type(module).forward
    copy = FunctionType(
        forward.__code__, {**forward.__globals__, name: function}, forward.__name__, forward.__defaults__,
        forward.__closure__,
    )  # fmt: skip
    copy.__kwdefaults__ = forward.__kwdefaults__
    return MethodType(copy, module)


def function_of_forward(module: nn.Module, name: str) -> Callable[..., Any] | None:
    """The function that the forward of ``module`` calls by ``name``; None if it calls no such function.

    Also None if the forward is not plain, that is, if a decorator wraps it or it was already replaced (by accelerate's
    hooks, for example).
    """
    forward: Any = type(module).forward
    if "forward" in vars(module) or not isinstance(forward, FunctionType) or name not in forward.__code__.co_names:
        return None
    return forward.__globals__.get(name)


@contextmanager
def attention_implementation(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Within this context, ``model`` uses the attention function that is registered with transformers as ``name``.

    Raises Unsupported if the model does not allow to choose its attention.
    """
    usual = attention_in_use(model.config)
    try:
        model.set_attn_implementation(name)
    except ValueError as error:
        raise Unsupported(str(error)) from error
    if stays := name == EAGER and attention_in_use(model.config) != name:  # its layers look at it themselves (Falcon)
        model.config._attn_implementation = name
    try:
        yield
    finally:
        if stays:
            model.config._attn_implementation = usual
        model.set_attn_implementation(usual)


def attention_in_use(config: Any) -> str:
    """The name of the attention of a model with this config, for `model.set_attn_implementation`: `eager`, `sdpa`, …"""
    return config._attn_implementation
