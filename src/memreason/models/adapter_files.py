"""A checkpoint's adapter files: read, and put onto a base model only where they are whole and belong together."""

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
    """The adapter's tensors by name; UserError where the file is missing, cut off, or holds what is not finite."""
    path = folder / ADAPTER_WEIGHTS
    if not path.is_file():
        raise UserError(f"{path} is missing, which holds the trained weights; {_AGAIN}")
    with reading(f"{path} is damaged or cut off", _AGAIN):
        tensors = load_file(path)
    check_finite(tensors.items(), str(path), _AGAIN)
    return tensors


def check_adapter(model: PeftModel, tensors: dict[str, torch.Tensor], folder: Path) -> None:
    """Raise UserError where ``tensors`` are not exactly those that ``model``'s adapters have.

    PEFT leaves what is missing as it was drawn and drops what it does not know, with a warning at most.
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
"""What is trained here, by PEFT's name: its configuration, and the options that we set or PEFT finds out."""
_OF_ALL = {"peft_type": str, "task_type": str, "inference_mode": bool, "peft_version": str | None,
           "base_model_name_or_path": str | None, "revision": str | None}  # fmt: skip


def _check_config(found: dict[str, Any]) -> None:
    """Raise ValueError, TypeError or KeyError where ``found`` is no configuration that we have written.

    Others ask PEFT for what was not trained, for memory without bounds, or for code: it imports the module that
    `megatron_core` names.
    """
    if str(found["peft_type"]) not in _OURS:
        raise ValueError(f"peft_type is {found['peft_type']!r}, which is none of {', '.join(_OURS)}")
    kind, own = _OURS[found["peft_type"]]
    usual = kind()
    for name, value in found.items():
        if name in own or name in _OF_ALL:
            if not fits(value, (_OF_ALL | own)[name]):
                raise TypeError(f"{name} is {value!r}, which is not of its type")
        elif (value and value != getattr(usual, name, None)) or (not value and getattr(usual, name, None)):
            raise ValueError(f"{name} is {value!r}, which no training here sets")
    for name in own.keys() & {"r", "lora_alpha", "num_virtual_tokens"}:
        if found[name] < 1:  # KeyError where it is missing: a default would scale the adapters otherwise
            raise ValueError(f"{name} is {found[name]}")


def _check_size(found: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Raise ValueError where ``found`` asks for adapters of another size than the saved ones: of any, before PEFT
    makes them."""
    ranks = {len(tensor) for name, tensor in tensors.items() if "lora_A" in name and tensor.ndim}
    if "r" in found and any(rank % found["r"] for rank in ranks):  # experts' stand below each other
        raise ValueError(f"it has rank {', '.join(map(str, ranks)) or 'none'}, and r is {found['r']}")
    lengths = {len(tensor) for tensor in tensors.values() if tensor.ndim}
    if "num_virtual_tokens" in found and found["num_virtual_tokens"] not in lengths:
        raise ValueError(f"num_virtual_tokens is {found['num_virtual_tokens']}")


def load_adapter(model: PreTrainedModel, folder: Path, token_ids: list[int]) -> PeftModel:
    """``model`` under the adapters saved in ``folder``, which train the rows of the tokens ``token_ids``.

    Which base model `adapter_config.json` names does not matter here. Raises UserError where one of the files is
    missing, damaged, or does not fit the other.
    """
    path = folder / ADAPTER_CONFIG
    tensors = read_adapter(folder)
    if not path.is_file():
        raise UserError(f"{path} is missing, which says what the trained weights are; {_AGAIN}")
    with reading(f"{path} is not a configuration that PEFT can read", _AGAIN):
        found = read_object(path)
        _check_config(found)
        config = PeftConfig.from_pretrained(str(folder))
    rows = found.get("trainable_token_indices") or found.get("token_indices") or []
    for ids in rows.values() if isinstance(rows, dict) else [rows]:
        if ids and ids != token_ids:
            raise UserError(f"{path} has the rows of other tokens than the checkpoint's manifest; {_AGAIN}")
    with reading(f"{folder / ADAPTER_WEIGHTS} does not fit its {ADAPTER_CONFIG}", _AGAIN):
        _check_size(found, tensors)
        unit = PeftModel.from_pretrained(model, str(folder), config=config)
    check_adapter(unit, tensors, folder)
    taken = get_peft_model_state_dict(unit, save_embedding_layers=False)
    for name, tensor in tensors.items():  # which PEFT may have renamed on the way, and lost
        if not torch.equal(taken[name].cpu(), tensor.to(taken[name].dtype)):
            raise UserError(
                f"PEFT drops or changes {name} of {folder / ADAPTER_WEIGHTS} when it loads it, so that the adapters "
                "would be others than were trained; train again with another --lora_module (atten, say)"
            )
    return unit
