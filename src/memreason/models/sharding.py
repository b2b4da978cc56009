"""Models whose weights are sharded over processes (FSDP2): making them, and reading and writing whole weights.

The sharding itself is accelerate's. All functions here are collective: every process calls them.
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
"""In the names of a PEFT model's own weights."""


def is_sharded(model: nn.Module) -> bool:
    """Whether each process holds only a part of the model's weights."""
    return isinstance(model, FSDPModule)


def shard_on_cpus(accelerator: Accelerator, plugin_options: dict[str, Any] | None) -> None:
    """Make accelerate shard over CPU processes too, where it would silently take whole models.

    It has no use but to try out on any machine what runs on many GPUs.
    """
    if accelerator.distributed_type == DistributedType.MULTI_CPU:
        accelerator.state.distributed_type = DistributedType.FSDP
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin(**(plugin_options or {}))


@contextmanager
def frozen_embeddings_shown(model: nn.Module) -> Iterator[None]:
    """While accelerate shards it, let the model give its frozen embedding layers for those that PEFT put around them.

    accelerate asks whether the two sides share one weight. PEFT's layers, asked for theirs, compute a new
    matrix each, and so seem not to; and the rows that tied sides share must not be in two groups.
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
    """While PEFT picks its weights by the names of modules, let those lack what activation checkpointing adds.

    The names in a state dict lack it, so PEFT would find no adapter in a sharded model's checkpointed layers.
    """
    modules = model.named_modules

    def named_modules(*args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Module]]:
        return ((name.replace("._checkpoint_wrapped_module", ""), part) for name, part in modules(*args, **kwargs))

    with replaced([(model, {"named_modules": named_modules})]):
        yield


@torch.no_grad()
def whole_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """What a checkpoint holds of a sharded model, by name, on the CPU of the main process; elsewhere nothing."""
    whole: dict[str, torch.Tensor] = {}
    gathered: dict[int, torch.Tensor] = {}  # tied sides are one weight, and stay so
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
    """Copy whole weights, named as in a checkpoint, into a sharded model; each process keeps its part."""
    with plain_names(model):
        peft = isinstance(model, PeftModel)
        live = get_peft_model_state_dict(model, save_embedding_layers=False) if peft else model.state_dict()
    assert live.keys() == saved.keys(), f"other weights than the model has: {sorted(live.keys() ^ saved.keys())}"
    for name, weight in live.items():
        value = saved[name].to(weight.device, weight.dtype)
        if isinstance(weight, DTensor):
            value = distribute_tensor(value, weight.device_mesh, weight.placements, src_data_rank=None)
        weight.copy_(value)
