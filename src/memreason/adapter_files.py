"""A checkpoint's adapter files: read, and put onto a base model only where they are whole and belong together."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedModel

from memreason.base_checks import check_finite
from memreason.errors import UserError

ADAPTER_WEIGHTS, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
_AGAIN = "copy the checkpoint again, take another checkpoint-… folder of the run, or train again"


def read_adapter(folder: Path) -> dict[str, torch.Tensor]:
    """The adapter's tensors by name; UserError where the file is missing, cut off, or holds what is not finite."""
    path = folder / ADAPTER_WEIGHTS
    try:
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing, which holds the trained weights; {_AGAIN}") from error
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged or cut off ({error}); {_AGAIN}") from error
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
    )
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise UserError(f"{folder / ADAPTER_WEIGHTS} does not fit its {ADAPTER_CONFIG}: {wrong[0]}{more}; {_AGAIN}")


def load_adapter(model: PreTrainedModel, folder: Path, token_ids: list[int]) -> PeftModel:
    """``model`` under the adapters saved in ``folder``, which train the rows of the tokens ``token_ids``.

    Which base model `adapter_config.json` names does not matter here. Raises UserError where one of the files is
    missing, damaged, or does not fit the other.
    """
    path = folder / ADAPTER_CONFIG
    tensors = read_adapter(folder)
    if not path.is_file():
        raise UserError(f"{path} is missing, which says what the trained weights are; {_AGAIN}")
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a configuration that PEFT can read ({error}); {_AGAIN}") from error
    rows = getattr(config, "trainable_token_indices", None) or getattr(config, "token_indices", None) or []
    for ids in rows.values() if isinstance(rows, dict) else [rows]:
        if list(ids) != token_ids:
            raise UserError(f"{path} has the rows of other tokens than the checkpoint's manifest; {_AGAIN}")
    try:
        unit = PeftModel.from_pretrained(model, str(folder))
    except (RuntimeError, ValueError, KeyError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise UserError(f"{folder / ADAPTER_WEIGHTS} does not fit its {ADAPTER_CONFIG} ({error}); {_AGAIN}") from error
    check_adapter(unit, tensors, folder)
    taken = get_peft_model_state_dict(unit, save_embedding_layers=False)
    for name, tensor in tensors.items():  # which PEFT may have renamed on the way, and lost
        if not torch.equal(taken[name].cpu(), tensor.to(taken[name].dtype)):
            raise UserError(
                f"PEFT drops or changes {name} of {folder / ADAPTER_WEIGHTS} when it loads it, so that the adapters "
                "would be others than were trained; train again with another --lora_module (atten, say)"
            )
    return unit
