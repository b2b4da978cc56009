"""Building a fresh unit, ready to train, from the options."""

from __future__ import annotations

import torch
from peft import prepare_model_for_kbit_training

from memreason.config.ablations import AblationConfig
from memreason.config.checks import PREFIX_TUNING, check_training_dtype
from memreason.config.model import InferredTypes, ModelConfig
from memreason.models.adapters import with_adapters
from memreason.models.base import absolute, resolve
from memreason.models.base_checks import (
    check_length,
    check_tied,
    check_vocabulary,
)
from memreason.models.dtypes import dtype_name, training_dtype
from memreason.models.fingerprint import fingerprint_of
from memreason.models.manifest import Manifest
from memreason.models.sparse_attention import attend_sparsely
from memreason.models.token_embeddings import initialise_rows, planning_tokenizer, resize
from memreason.models.unit import ModelUnit
from memreason.models.weights import load_causal_lm


def build(
    config: ModelConfig,
    model_max_length: int,
    seed: int = 0,
    ablations: AblationConfig | None = None,
    device: torch.device | None = None,
    inferred: InferredTypes | None = None,
) -> ModelUnit:
    """A fresh unit, ready to train: base model, new tokens with their rows, and adapters, with all else frozen.

    ``seed`` draws the noise on the new rows and the first weights of the adapters (and all weights, where the model is
    initialised at random). ``device`` is where the weights go (default: `choose_device()`). ``inferred`` holds
    the step types, where ``config`` has them inferred.

    Raises UserError where the base model is not found or not whole; where its tokenizer belongs to another model, or
    already has a token with the name of a new one, or has too few unused rows to reuse; where ``model_max_length``
    exceeds its positions; where quantized weights are not supported here; and where ``ablations`` do not fit the other
    options.
    """
    check_training_dtype(config.parameter_efficient_mode, config.dtype)
    ablations = ablations or AblationConfig()
    layout = ablations.layout(config, inferred)
    mode = config.parameter_efficient_mode
    base = resolve(config.model_name_or_path)
    dtype = training_dtype(config, device)
    # Before weights are loaded: UserError where rows to reuse, or a chat template, are needed but missing.
    tokenizer, token_ids, reused = planning_tokenizer(base.path, layout, config.reuse_reserved_tokens)
    model = load_causal_lm(base.path, dtype, config.bits, seed if ablations.random_initialize else None, device)
    check_tied(base.path, model)
    check_vocabulary(base.path, tokenizer, model, added=token_ids)
    check_length(model.config, model_max_length, config.num_virtual_tokens if mode == PREFIX_TUNING else 0)
    fingerprint = fingerprint_of(model)
    rows = resize(model, len(tokenizer))
    initialise_rows(model, tokenizer, token_ids, seed, inferred.words if inferred else None)
    manifest = Manifest(
        base_model=absolute(config.model_name_or_path),
        base_revision=base.revision,
        base_fingerprint=fingerprint,
        dtype=dtype_name(dtype),
        parameter_efficient_mode=mode,
        planning_tokens=layout,
        token_ids=token_ids,
        rows=rows,
        model_max_length=model_max_length,
        bits=config.bits,
        sparse_attention=ablations.sparse_attention,
        step_type_record=inferred.record if inferred else None,
        hub_id=base.hub_id,
        hub_revision=base.hub_revision,
        reused_tokens=reused,
    )
    attend_sparsely(model, list(manifest.token_ids.values()), manifest.sparse_attention)
    if config.bits:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    torch.manual_seed(seed)
    return ModelUnit(with_adapters(model, config, list(token_ids.values())), tokenizer, manifest)
