"""What is trained of a model, and what is frozen: PEFT's adapters by parameter-efficient mode."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig, PeftModel, PrefixTuningConfig, TrainableTokensConfig, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from memreason.config import PREFIX_TUNING, ModelConfig
from memreason.errors import UserError
from memreason.lora_layers import use_lora_beside_frozen
from memreason.token_rows import use_rows_beside_frozen

_PARENTS = {"mlp": ("mlp", "ffn", "feed_forward"), "atten": ("attn", "attention")}


def lora_targets(model: PreTrainedModel, module: str) -> list[str]:
    """Full names of the linear layers under the MLPs, the attentions, or both (`all`)."""
    parents = _PARENTS["mlp"] + _PARENTS["atten"] if module == "all" else _PARENTS[module]
    head = model.get_output_embeddings()
    names = [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear | Conv1D) and layer is not head and any(p in name.lower() for p in parents)
    ]
    if not names:
        raise UserError(f"--lora_module {module}: {type(model).__name__} has no linear layer under such a name")
    return names


def with_adapters(model: PreTrainedModel, config: ModelConfig, new_ids: list[int]) -> PreTrainedModel | PeftModel:
    """Adapters, trainable rows, and the right things frozen, for the parameter-efficient mode.

    Mode `lora` holds the new rows in the same place as the others do, but frozen: the checkpoint
    must carry them either way.
    """
    mode = config.parameter_efficient_mode
    if mode == "none":
        return model
    if mode == PREFIX_TUNING:
        return get_peft_model(
            model, PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=config.num_virtual_tokens)
        )
    # PEFT must be told of both sides where they are not tied; where they are, they share one delta.
    names = {id(layer): name for name, layer in model.named_modules()}
    sides = [names[id(model.get_input_embeddings())]]
    if not model.config.get_text_config().tie_word_embeddings:
        sides.append(names[id(model.get_output_embeddings())])
    rows: dict[str, list[int]] | None = {side.rpartition(".")[2]: new_ids for side in sides} if new_ids else None
    if "lora" not in mode:
        peft_config: Any = TrainableTokensConfig(
            task_type="CAUSAL_LM", token_indices=new_ids, target_modules=[s.rpartition(".")[2] for s in sides]
        )
        unit = get_peft_model(model, peft_config)
        use_rows_beside_frozen(unit)
        return unit
    peft_config = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=lora_targets(model, config.lora_module),
        trainable_token_indices=rows,
    )
    unit = get_peft_model(model, peft_config)
    use_rows_beside_frozen(unit)
    use_lora_beside_frozen(unit)
    if mode == "lora":
        for name, parameter in unit.named_parameters():
            if "trainable_tokens" in name:
                parameter.requires_grad_(False)
    return unit
