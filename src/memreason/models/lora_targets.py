"""Which weights get adapters, found by what a model is made of.

Linear layers of MLPs and attentions are told apart by the names of the modules that they lie in; a mixture's experts,
which are one weight of three dimensions, and its routers, by their shapes. Routers are never adapted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple

from peft import LoraConfig
from peft.tuners.lora.layer import LoraLayer, ParamWrapper
from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from memreason.errors import UserError

_PARENTS = {"mlp": ("mlp", "ffn", "feed_forward"), "atten": ("attn", "attention")}
_MIXTURES = (*_PARENTS["mlp"], "moe", "expert")
"""In the names of modules that may hold experts."""
_READ_BY_KERNELS = ("x_proj", "dt_proj", "out_proj")
"""Linear layers of Mamba whose weights its CUDA kernels take as they are, past any adapter."""


class LoraTargets(NamedTuple):
    """Full names of linear ``layers``, and of single ``weights``, each for an adapter of its own."""

    layers: list[str]
    weights: list[str]


def lora_targets(model: PreTrainedModel, module: str) -> LoraTargets:
    """The linear layers of the MLPs (experts included), of the attentions, or of both (`all`) of a language model.

    A model that has none of a kind is adapted in what else its layers have: `fc1` and `fc2` of OPT, the mixers of
    Mamba. Raises UserError where there is nothing.
    """
    linear, experts = _linear_layers(model), _experts(model)
    routers = _routers(model, linear, experts)
    linear = {name: layer for name, layer in linear.items() if name not in routers}
    wanted: set[str] = set()
    for kind, other in (("mlp", "atten"), ("atten", "mlp")):
        if module in (kind, "all"):
            found = {name for name in linear if _within(name, _PARENTS[kind])} | set(experts if kind == "mlp" else ())
            wanted |= found or {name for name in linear if _is_spare(model, name, _PARENTS[other])}
    layers = [name for name in linear if name in wanted]
    taken = _taken_for_experts(model, layers)
    weights = [f"{name}.weight" for name in layers if name in taken and linear[name].weight.is_floating_point()]
    targets = LoraTargets(
        [name for name in layers if name not in taken], weights + [name for name in experts if name in wanted]
    )
    if not any(targets):
        kinds = sorted({type(one).__name__ for one in model.modules() if next(one.parameters(False), None) is not None})
        raise UserError(
            f"--lora_module {module}: {type(model).__name__} has no linear layer there that could take an adapter; "
            f"its weights are in layers of these kinds: {', '.join(kinds) or 'none'}. "
            "Try --lora_module all, or --parameter_efficient_mode prompt-tuning"
        )
    return targets


def adapted(model: nn.Module) -> str:
    """What has LoRA adapters and how many of each, in words; empty where nothing has."""
    counts: Counter[str] = Counter()
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer):
            parts = [part for part in name.split(".") if part != "base_layer"]
            parts += [layer.parameter_name] if _has_experts(layer) else []
            last_number = max((i for i, part in enumerate(parts[:-1]) if part.isdigit()), default=-1)
            counts[".".join(parts[last_number + 1 :])] += 1
    return ", ".join(f"{count} × {name}" for name, count in counts.items())


def _has_experts(layer: nn.Module) -> bool:
    return isinstance(layer, ParamWrapper) and layer.num_experts > 1


def language_model(model: Any) -> Any:
    """The part that reads text: not the vision tower beside it, nor the output head."""
    found = model.get_decoder() if hasattr(model, "get_decoder") else model
    return model.base_model if found is model.get_output_embeddings() else found  # ModernBERT calls its head decoder


def _linear_layers(model: PreTrainedModel) -> dict[str, Any]:
    inside, head = set(language_model(model).modules()), model.get_output_embeddings()
    linear = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear | Conv1D)}
    # A weight that several layers share (Zamba 2) would take up the adapters of all of them when they are merged.
    holders = Counter(id(layer.weight) for layer in linear.values())
    return {
        name: layer
        for name, layer in linear.items()
        if layer in inside and layer is not head and holders[id(layer.weight)] == 1
    }


def _experts(model: PreTrainedModel) -> list[str]:
    """Names of the weights (experts, …, …) that each hold one matrix of every expert of a layer."""
    inside = set(language_model(model).modules())
    return [
        f"{name}.{weight_name}"
        for name, module in model.named_modules()
        if module in inside and _within(name, _MIXTURES) and not _within(name, _PARENTS["atten"])
        for weight_name, weight in module.named_parameters(recurse=False)
        if weight.dim() == 3 and min(weight.shape) > 1 and weight.is_floating_point()
    ]


def _routers(model: PreTrainedModel, linear: Collection[str], experts: list[str]) -> set[str]:
    """Names of the linear layers that choose or weigh experts: beside experts, in a part that leads nowhere back to
    the size of the hidden states, as an MLP does."""
    layers = dict(model.named_modules())
    mixtures = {name.rpartition(".")[0].rpartition(".")[0] for name in experts}
    mixtures |= {name.rpartition(".")[0] for name in layers if name.endswith(".experts")}
    found: set[str] = set()
    for mixture in mixtures:
        for part in layers[mixture].named_children():
            inside = [n for n in linear if f"{n}.".startswith(f"{mixture}.{part[0]}.")]
            sizes = [getattr(layers[n], "out_features", None) or layers[n].nf for n in inside]  # type: ignore[union-attr]
            if model.config.get_text_config().hidden_size not in sizes:
                found.update(inside)
    return found


def _is_spare(model: PreTrainedModel, name: str, other: tuple[str, ...]) -> bool:
    """Whether a linear layer is in one of the repeated layers, not of the ``other`` kind, and reached by adapters."""
    parent, _, last = name.rpartition(".")
    read_by_kernels = last in _READ_BY_KERNELS and hasattr(model.get_submodule(parent), "conv1d")
    return any(part.isdigit() for part in name.split(".")) and not _within(name, other) and not read_by_kernels


def _within(name: str, parents: tuple[str, ...]) -> bool:
    return any(parent in name.lower() for parent in parents)


def _taken_for_experts(model: PreTrainedModel, layers: list[str]) -> set[str]:
    """Those of ``layers`` that PEFT would not adapt: in a mixture it takes `gate_proj`, say, for the experts' of
    transformers 4, also where a shared expert or a dense layer has that name. It leaves names of weights alone."""
    config = LoraConfig(target_modules=list(layers))
    try:
        convert_peft_config_for_transformers(config, model, None)
    except ValueError:  # only some of what it takes for experts is there
        return set(layers)
    return set(layers) - set(config.target_modules or ())
