"""A checkpoint's adapter files: they are put onto a base model only if they are whole and fit each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftConfig,
    PeftModel,
    PrefixTuningConfig,
    TrainableTokensConfig,
    get_peft_model_state_dict,
)
from safetensors.torch import load_file
from transformers import PreTrainedModel

from memreason.errors import UserError
from memreason.models.base_checks import check_finite
from memreason.runtime.reading import fits, read_object, reading

ADAPTER_WEIGHTS, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
_AGAIN = "copy the checkpoint again, take another checkpoint-… folder of the run, or train again"


def read_adapter(folder: Path) -> dict[str, torch.Tensor]:
    """The adapter's tensors by name; UserError where the file is missing, cut off, or holds a nan or an infinity."""
    path = folder / ADAPTER_WEIGHTS
    if not path.is_file():
        raise UserError(f"{path} is missing: it holds the trained weights; {_AGAIN}")
    with reading(f"{path} is damaged or cut off", _AGAIN):
        tensors = load_file(path)
    check_finite(tensors.items(), str(path), _AGAIN)
    return tensors


def check_adapter(model: PeftModel, tensors: dict[str, torch.Tensor], folder: Path) -> None:
    """Raise UserError where the names or shapes of ``tensors`` are not exactly those of ``model``'s adapters.

    PEFT itself would leave missing weights at their random start and drop unknown ones, with a warning at most.
    """
    expected = get_peft_model_state_dict(model, save_embedding_layers=False)
    wrong = (
        [f"{name} is missing" for name in expected if name not in tensors]
        + [f"{name} is not known" for name in tensors if name not in expected]
        + [
            f"{name} is {tuple(tensor.shape)} instead of {tuple(expected[name].shape)}"
            for name, tensor in tensors.items()
            if name in expected and tensor.shape != expected[name].shape
        ]
        + [f"{name} holds {tensor.dtype}" for name, tensor in tensors.items() if not tensor.is_floating_point()]
    )
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise UserError(f"{folder / ADAPTER_WEIGHTS} does not fit its {ADAPTER_CONFIG}: {wrong[0]}{more}; {_AGAIN}")


_OURS: dict[str, tuple[type[PeftConfig], dict[str, Any]]] = {
    "LORA": (LoraConfig, {
        "r": int, "lora_alpha": int, "lora_dropout": float, "target_modules": list[str] | None, "fan_in_fan_out": bool,
        "target_parameters": list[str] | None, "trainable_token_indices": dict[str, list[int]] | list[int] | None,
    }),
    "TRAINABLE_TOKENS": (TrainableTokensConfig, {"token_indices": list[int], "target_modules": list[str]}),
    "PREFIX_TUNING": (PrefixTuningConfig, dict.fromkeys((
        "num_virtual_tokens", "num_layers", "num_attention_heads", "token_dim", "encoder_hidden_size",
        "num_transformer_submodules",
    ), int)),
}  # fmt: skip
"""PEFT's name for each kind of adapter that we train → its configuration class, and the options (with their types)
that we set or that PEFT fills in."""
_OF_ALL = {"peft_type": str, "task_type": str, "inference_mode": bool, "peft_version": str | None,
           "base_model_name_or_path": str | None, "revision": str | None}  # fmt: skip
"""The options of every kind of adapter, with their types."""


def _check_config(options: dict[str, Any]) -> None:
    """Raise ValueError, TypeError or KeyError where ``options`` is not a configuration that memreason writes.

    Other configurations can make PEFT add adapters that were not trained, take any amount of memory, or run code: PEFT
    imports the module that `megatron_core` names.
    """
    if str(options["peft_type"]) not in _OURS:
        raise ValueError(f"peft_type is {options['peft_type']!r}, which is none of {', '.join(_OURS)}")
    kind, own = _OURS[options["peft_type"]]
    usual = kind()
    for name, value in options.items():
        if name in own or name in _OF_ALL:
            if not fits(value, (_OF_ALL | own)[name]):
                raise TypeError(f"{name} is {value!r}, which is not of its type")
        elif (value and value != getattr(usual, name, None)) or (not value and getattr(usual, name, None)):
            raise ValueError(f"{name} is {value!r}, which no training here sets")
    for name in own.keys() & {"r", "lora_alpha", "num_virtual_tokens"}:
        if options[name] < 1:  # KeyError where it is missing: PEFT's default would scale the adapters differently
            raise ValueError(f"{name} is {options[name]}")


def _check_size(options: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Raise ValueError where ``options`` ask for adapters of another size than ``tensors`` have.

    It is called before PEFT makes the adapters, because a wrong size could ask for any amount of memory.
    """
    ranks = {len(tensor) for name, tensor in tensors.items() if "lora_A" in name and tensor.ndim}
    if "r" in options and any(rank % options["r"] for rank in ranks):  # the matrices of several experts are stacked
        raise ValueError(f"it has rank {', '.join(map(str, ranks)) or 'none'}, and r is {options['r']}")
    lengths = {len(tensor) for tensor in tensors.values() if tensor.ndim}
    if "num_virtual_tokens" in options and options["num_virtual_tokens"] not in lengths:
        raise ValueError(f"num_virtual_tokens is {options['num_virtual_tokens']}")


def load_adapter(model: PreTrainedModel, folder: Path, token_ids: list[int]) -> PeftModel:
    """``model`` with the adapters that are saved in ``folder``; their new rows must be those of ``token_ids``.

    The base model that `adapter_config.json` names does not matter here. Raises UserError where one of the files is
    missing or damaged, or where the two do not fit each other.
    """
    path = folder / ADAPTER_CONFIG
    tensors = read_adapter(folder)
    if not path.is_file():
        raise UserError(f"{path} is missing: it says what the trained weights are; {_AGAIN}")
    with reading(f"{path} is not a configuration that PEFT can read", _AGAIN):
        options = read_object(path)
        _check_config(options)
        config = PeftConfig.from_pretrained(str(folder))
    rows = options.get("trainable_token_indices") or options.get("token_indices") or []
    for ids in rows.values() if isinstance(rows, dict) else [rows]:
        if ids and ids != token_ids:
            raise UserError(f"{path} has the rows of other tokens than the checkpoint's manifest; {_AGAIN}")
    with reading(f"{folder / ADAPTER_WEIGHTS} does not fit its {ADAPTER_CONFIG}", _AGAIN):
        _check_size(options, tensors)
        unit = PeftModel.from_pretrained(model, str(folder), config=config)
    check_adapter(unit, tensors, folder)
    loaded = get_peft_model_state_dict(unit, save_embedding_layers=False)
    for name, tensor in tensors.items():  # PEFT may have renamed one while loading, and so lost it
        if not torch.equal(loaded[name].cpu(), tensor.to(loaded[name].dtype)):
            raise UserError(
                f"PEFT drops or changes {name} of {folder / ADAPTER_WEIGHTS} when it loads it, so that the adapters "
                "would differ from the trained ones; train again with another --lora_module (atten, say)"
            )
    return unit
