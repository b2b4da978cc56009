"""Which weights of a model get adapters.

The names of the surrounding modules tell whether a linear layer belongs to an MLP or to attention. In a mixture of
experts, the experts are one weight of three dimensions; experts and routers are recognised by their shapes. Routers
are never adapted.
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
"""Parts of the names of modules that may hold experts."""
_READ_BY_KERNELS = ("x_proj", "dt_proj", "out_proj")
"""Linear layers of Mamba whose weights its CUDA kernels read directly, so that an adapter would have no effect."""


class LoraTargets(NamedTuple):
    """Full names of what gets an adapter: linear ``layers``, and single ``weights`` (such as those of experts)."""

    layers: list[str]
    weights: list[str]


def lora_targets(model: PreTrainedModel, module: str) -> LoraTargets:
    """The linear layers of a language model's MLPs (experts included), of its attention, or of both.

    ``module`` is `mlp`, `atten` or `all`. Where no layer has a name of the wanted kind, the other linear layers of the
    repeated layers are taken: `fc1` and `fc2` of OPT, the mixers of Mamba. Raises UserError where there is nothing
    to adapt.
    """
    linear, experts = _linear_layers(model), _experts(model)
    routers = _routers(model, linear, experts)
    linear = {name: layer for name, layer in linear.items() if name not in routers}
    wanted: set[str] = set()
    for kind, other in (("mlp", "atten"), ("atten", "mlp")):
        if module in (kind, "all"):
            named = {name for name in linear if _within(name, _PARENTS[kind])} | set(experts if kind == "mlp" else ())
            wanted |= named or {name for name in linear if _is_spare(model, name, _PARENTS[other])}
    layers = [name for name in linear if name in wanted]
    taken = _taken_for_experts(model, layers)
    weights = [f"{name}.weight" for name in layers if name in taken and linear[name].weight.is_floating_point()]
    targets = LoraTargets(
        [name for name in layers if name not in taken], weights + [name for name in experts if name in wanted]
    )
    if not any(targets):
        with_weights = (layer for layer in model.modules() if next(layer.parameters(False), None) is not None)
        kinds = sorted({type(layer).__name__ for layer in with_weights})
        raise UserError(
            f"--lora_module {module}: {type(model).__name__} has no linear layer there that could take an adapter; "
            f"its weights are in layers of these kinds: {', '.join(kinds) or 'none'}. "
            "Try --lora_module all, or --parameter_efficient_mode prompt-tuning"
        )
    return targets


def adapted(model: nn.Module) -> str:
    """The names of the layers with LoRA adapters and how many there are of each: "30 × mlp.up_proj"; empty for none."""
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
    """The part of a model that reads text, without a vision tower and without the output head."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model
    # ModernBERT calls its output head "decoder".
    return model.base_model if decoder is model.get_output_embeddings() else decoder


def _linear_layers(model: PreTrainedModel) -> dict[str, Any]:
    inside, head = set(language_model(model).modules()), model.get_output_embeddings()
    linear = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear | Conv1D)}
    # Where several layers share one weight (Zamba 2), merging would add the adapters of all of them to it.
    holders = Counter(id(layer.weight) for layer in linear.values())
    return {
        name: layer
        for name, layer in linear.items()
        if layer in inside and layer is not head and holders[id(layer.weight)] == 1
    }


def _experts(model: PreTrainedModel) -> list[str]:
    """Names of the weights of shape (experts, …, …): each holds one matrix of every expert in a layer."""
    inside = set(language_model(model).modules())
    return [
        f"{name}.{weight_name}"
        for name, module in model.named_modules()
        if module in inside and _within(name, _MIXTURES) and not _within(name, _PARENTS["atten"])
        for weight_name, weight in module.named_parameters(recurse=False)
        if weight.dim() == 3 and min(weight.shape) > 1 and weight.is_floating_point()
    ]


def _routers(model: PreTrainedModel, linear: Collection[str], experts: list[str]) -> set[str]:
    """Names of the linear layers that choose or weigh experts.

    These are the linear layers beside experts, in a part without any output of the size of the hidden states; an MLP
    has such an output.
    """
    layers = dict(model.named_modules())
    mixtures = {name.rpartition(".")[0].rpartition(".")[0] for name in experts}
    mixtures |= {name.rpartition(".")[0] for name in layers if name.endswith(".experts")}
    routers: set[str] = set()
    for mixture in mixtures:
        for part in layers[mixture].named_children():
            inside = [n for n in linear if f"{n}.".startswith(f"{mixture}.{part[0]}.")]
            sizes = [getattr(layers[n], "out_features", None) or layers[n].nf for n in inside]  # type: ignore[union-attr]
            if model.config.get_text_config().hidden_size not in sizes:
                routers.update(inside)
    return routers


def _is_spare(model: PreTrainedModel, name: str, other: tuple[str, ...]) -> bool:
    """Whether a linear layer is in a repeated layer, is not of the ``other`` kind, and can take an adapter."""
    parent, _, last = name.rpartition(".")
    read_by_kernels = last in _READ_BY_KERNELS and hasattr(model.get_submodule(parent), "conv1d")
    return any(part.isdigit() for part in name.split(".")) and not _within(name, other) and not read_by_kernels


def _within(name: str, parents: tuple[str, ...]) -> bool:
    return any(parent in name.lower() for parent in parents)


def _taken_for_experts(model: PreTrainedModel, layers: list[str]) -> set[str]:
    """Those of ``layers`` that PEFT would not adapt, because it takes them for experts.

    In a mixture, PEFT takes a name such as `gate_proj` for that of the experts in transformers 4, even where it
    belongs to a shared expert or a dense layer. Such a layer is given to PEFT by the name of its weight instead, which
    it does not change.
    """
    config = LoraConfig(target_modules=list(layers))
    try:
        convert_peft_config_for_transformers(config, model, None)
    except ValueError:  # some of the layers that PEFT takes for experts are missing
        return set(layers)
    return set(layers) - set(config.target_modules or ())
