"""Which weights of a model are trained and which are frozen: PEFT's adapters for each parameter-efficient mode."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig, PeftModel, PrefixTuningConfig, TrainableTokensConfig, get_peft_model
from peft.tuners.lora.layer import LoraLayer, ParamWrapper
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import nn
from transformers import PreTrainedModel

from memreason.config.checks import PREFIX_TUNING
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.kernels.lora import use_lora_beside_frozen
from memreason.kernels.trainable_tokens import NewRowsBesideFrozen, use_rows_beside_frozen
from memreason.models.lora_targets import adapted, language_model, lora_targets
from memreason.models.token_embeddings import layers_with_rows


def with_adapters(model: PreTrainedModel, config: ModelConfig, new_ids: list[int]) -> PreTrainedModel | PeftModel:
    """``model`` with the adapters and trainable rows of ``config``'s parameter-efficient mode, all else frozen.

    In mode `none` there are no adapters, and all weights that text goes through are trained. ``new_ids`` are the ids of
    the planning tokens, whose rows are trained. In mode `lora` these rows are frozen, but held in the same layers as
    in the other modes, because the checkpoint must contain them.
    Raises UserError where the model has no layer to adapt, or where PEFT could not load its adapters again.
    """
    mode = config.parameter_efficient_mode
    if mode == "none":
        _freeze_all_but_text(model)
        return model
    if mode == PREFIX_TUNING:
        return get_peft_model(
            model, PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=config.num_virtual_tokens)
        )
    sides = _sides(model)
    rows: dict[str, list[int]] | None = {side: new_ids for side in sides} if new_ids else None
    if "lora" not in mode:
        peft_config: Any = TrainableTokensConfig(task_type="CAUSAL_LM", token_indices=new_ids, target_modules=sides)
        unit = get_peft_model(model, peft_config)
        use_rows_beside_frozen(unit)
        return unit
    targets = lora_targets(model, config.lora_module)
    peft_config = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=0.0 if targets.weights else config.lora_dropout,
        target_modules=targets.layers,
        target_parameters=targets.weights or None,
        trainable_token_indices=rows,
    )
    unit = get_peft_model(model, peft_config)
    if targets.weights:
        _set_dropout(unit, config.lora_dropout)
    use_rows_beside_frozen(unit)
    use_lora_beside_frozen(unit)
    _check_kept(unit)
    if mode == "lora":
        for name, parameter in unit.named_parameters():
            if "trainable_tokens" in name:
                parameter.requires_grad_(False)
    return unit


def notes(model: nn.Module) -> list[str]:
    """Notes on a model in training, one line each: which layers have adapters, and how other programs must load it."""
    lines = []
    if layers := adapted(model):
        lines.append(f"adapters on {layers}")
    if any(isinstance(module, ParamWrapper) for module in model.modules()):
        lines.append("no dropout before adapters in mixtures of experts; PEFT has none for these")
    of_rows = [module for module in model.modules() if isinstance(module, NewRowsBesideFrozen)]
    if any(getattr(module.base_layer, "bias", None) is not None for module in of_rows):
        lines.append(
            "the output head has a bias, which PEFT's own layers leave out: whoever loads the checkpoint with PEFT "
            "alone must call merge_and_unload() before using it"
        )
    return lines


def _freeze_all_but_text(model: PreTrainedModel) -> None:
    """Freeze all parts that text never goes through, such as a vision tower.

    They get no gradients, and a trainer could take this for an error.
    """
    if model.config.get_text_config() is model.config:
        return
    parts = [language_model(model), model.get_input_embeddings(), model.get_output_embeddings()]
    reached = {id(weight) for part in parts if part is not None for weight in part.parameters()}
    for weight in model.parameters():
        weight.requires_grad_(weight.requires_grad and id(weight) in reached)


def _sides(model: PreTrainedModel) -> list[str]:
    """The names by which PEFT finds the layers that hold new rows.

    An output head that shares its weight with the embeddings shares their rows, so it is not among them.
    Raises UserError where the model has no output head.
    """
    if model.get_output_embeddings() is None:
        raise UserError(f"{type(model).__name__} has no output head that memreason knows how to train")
    layers = {name: layer for name, layer in model.named_modules()}
    sides = []
    for layer in layers_with_rows(model):
        name = next(name for name, candidate in layers.items() if candidate is layer)
        last = name.rpartition(".")[2]
        sides.append(last if sum(other.endswith(last) for other in layers) == 1 else name)
    return sides


def _check_kept(unit: PeftModel) -> None:
    """Raise UserError where PEFT could not load the adapters of a checkpoint again.

    While loading, PEFT renames adapter weights by transformers' rules for base models, and not all of these fit.
    """
    kept = get_peft_model_state_dict(unit, save_embedding_layers=False)
    lost = set_peft_model_state_dict(unit, kept).unexpected_keys
    if lost:
        raise UserError(
            f"PEFT would not load the adapters of {type(unit.get_base_model()).__name__} again ({lost[0]}); train its "
            "attention instead (--lora_module atten), or the new tokens only (--parameter_efficient_mode prompt-tuning)"
        )


def _set_dropout(unit: PeftModel, dropout: float) -> None:
    """Put dropout before the adapters of linear layers.

    PEFT was given a dropout of 0 because the model also has adapters of single weights, which cannot have dropout.
    """
    for module in unit.modules():
        if dropout and isinstance(module, LoraLayer) and not isinstance(module, ParamWrapper):
            module.lora_dropout["default"] = nn.Dropout(dropout)


def adapted_weight(layer: Any) -> nn.Parameter:
    """The frozen weight that one of PEFT's layers adapts."""
    return layer.get_param() if isinstance(layer, ParamWrapper) else layer.get_base_layer().weight
