"""Models whose weights are sharded over processes (FSDP2): helping accelerate to shard them, and whole weights.

accelerate does the sharding itself. All functions here are collective: every process must call them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from peft import PeftModel
from peft.utils import get_peft_model_state_dict
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor

from memreason.kernels.patching import replaced
from memreason.runtime import distributed

_TRAINED = ("lora_", "trainable_tokens")
"""Parts of the names of the weights that PEFT adds to a model."""


def is_sharded(model: nn.Module) -> bool:
    """Whether each process holds only a part of the model's weights."""
    return isinstance(model, FSDPModule)


def shard_on_cpus(accelerator: Accelerator, plugin_options: dict[str, Any] | None) -> None:
    """Make accelerate shard over CPU processes too, where it would silently keep whole models.

    This is only for trying out, on any machine, what runs on many GPUs.
    """
    if accelerator.distributed_type == DistributedType.MULTI_CPU:
        accelerator.state.distributed_type = DistributedType.FSDP
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin(**(plugin_options or {}))


@contextmanager
def frozen_embeddings_shown(model: nn.Module) -> Iterator[None]:
    """Inside this context, ``model`` returns its frozen embedding layers instead of PEFT's layers around them.

    accelerate, while sharding, asks whether input and output embeddings share one weight. PEFT's layers compute a new
    matrix each time they are asked for their weight, so the two would seem separate. Rows that tied embeddings share
    must not be in two groups of weights.
    """
    sides = {name: getattr(model, name)() for name in ("get_input_embeddings", "get_output_embeddings")}
    for name, layer in sides.items():
        layer = getattr(layer, "token_adapter", layer)
        frozen = getattr(layer, "base_layer", layer)
        sides[name] = lambda frozen=frozen: frozen
    with replaced([(model, sides)]):
        yield


@contextmanager
def plain_names(model: nn.Module) -> Iterator[None]:
    """Inside this context, ``model.named_modules`` leaves out the name part that activation checkpointing adds.

    PEFT picks its weights out of a state dict by the names of modules. The names in a state dict lack that part, so
    PEFT would find no adapter in the checkpointed layers of a sharded model.
    """
    modules = model.named_modules

    def named_modules(*args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Module]]:
        return ((name.replace("._checkpoint_wrapped_module", ""), part) for name, part in modules(*args, **kwargs))

    with replaced([(model, {"named_modules": named_modules})]):
        yield


@torch.no_grad()
def whole_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that a checkpoint of a sharded model holds, whole, by name, on the CPU.

    Only the main process gets them; the others get an empty dict.
    """
    whole: dict[str, torch.Tensor] = {}
    gathered: dict[int, torch.Tensor] = {}  # by id: tied embeddings are one weight, and stay one tensor
    for name, weight in model.state_dict(keep_vars=True).items():
        if isinstance(model, PeftModel) and not any(part in name for part in _TRAINED):
            continue
        if id(weight) not in gathered:
            full = weight.full_tensor() if isinstance(weight, DTensor) else weight
            gathered[id(weight)] = full.detach().cpu() if distributed.is_main() else torch.empty(0)
        whole[name] = gathered[id(weight)]
    return whole if distributed.is_main() else {}


@torch.no_grad()
def take_over(model: nn.Module, saved: dict[str, torch.Tensor]) -> None:
    """Copy the whole weights ``saved``, named as in a checkpoint, into a sharded model; each process keeps its part."""
    with plain_names(model):
        peft = isinstance(model, PeftModel)
        live = get_peft_model_state_dict(model, save_embedding_layers=False) if peft else model.state_dict()
    assert live.keys() == saved.keys(), f"other weights than the model has: {sorted(live.keys() ^ saved.keys())}"
    for name, weight in live.items():
        value = saved[name].to(weight.device, weight.dtype)
        if isinstance(weight, DTensor):
            value = distribute_tensor(value, weight.device_mesh, weight.placements, src_data_rank=None)
        weight.copy_(value)
