"""Loading a saved checkpoint, or a base model as it is, as a unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from memreason.errors import UserError
from memreason.kernels.trainable_tokens import use_rows_beside_frozen
from memreason.models.adapter_files import load_adapter
from memreason.models.base import base_of, resolve
from memreason.models.base_checks import (
    check_length,
    check_rows,
    check_tokens,
    check_vocabulary,
)
from memreason.models.dtypes import choose_dtype, dtype_name
from memreason.models.fingerprint import fingerprint_of
from memreason.models.manifest import Manifest, read_manifest
from memreason.models.sparse_attention import attend_sparsely
from memreason.models.token_embeddings import resize
from memreason.models.unit import ModelUnit
from memreason.models.weights import load_causal_lm, load_finite, load_tokenizer
from memreason.planning_tokens.layout import PlanningTokens


def load(
    folder: Path,
    base: str | None = None,
    dtype: str | None = None,
    bits: int | None = None,
    model_max_length: int | None = None,
    device: torch.device | None = None,
) -> ModelUnit:
    """The unit saved in ``folder``, for generation. Arguments that are given replace what its manifest says.

    ``base`` names the base model (if it has moved), ``bits`` (8 or 4) quantizes its weights; 0 loads them as they are,
    even where training quantized them.

    Raises UserError where ``folder`` has no readable manifest, where the base model or the tokenizer is not the one
    that it was trained with, and where files are missing, damaged or do not fit each other.
    """
    manifest = read_manifest(folder)
    whole = manifest.parameter_efficient_mode == "none"
    source = None if whole else base_of(folder, manifest.base_model, manifest.base_revision, base)
    torch_dtype = choose_dtype(dtype or manifest.dtype, source.path if source else str(folder), device)
    # Fingerprints are computed in bfloat16, and float16 rounds differently; quantized weights are others.
    comparable = not (bits or manifest.bits) and (manifest.dtype == "float16") == (torch_dtype == torch.float16)
    bits = manifest.bits if bits is None else bits or None
    manifest = replace(
        manifest,
        dtype=dtype_name(torch_dtype),
        bits=bits,
        model_max_length=model_max_length or manifest.model_max_length,
    )
    tokenizer = load_tokenizer(str(folder))
    check_tokens(str(folder), tokenizer, manifest)
    if source is None:
        model = load_finite(folder, torch_dtype, device, bits)
        if model_max_length:
            check_length(model.config, model_max_length)
        attend_sparsely(model, list(manifest.token_ids.values()), manifest.sparse_attention)
        return ModelUnit(model, tokenizer, manifest)
    model = load_causal_lm(source.path, torch_dtype, bits, device=device)
    if comparable and fingerprint_of(model) != manifest.base_fingerprint:
        raise UserError(
            f"{folder} was trained on {manifest.base_model} ({manifest.base_revision or 'local folder'}), and the "
            f"model found at {source.path} has other weights; give the right one with --base_model_name_or_path"
        )
    if not base:  # old manifests lack these two
        manifest = replace(manifest, hub_id=source.hub_id, hub_revision=source.hub_revision)
    check_rows(str(folder), model, manifest.rows, manifest.token_ids.values())
    resize(model, manifest.rows)
    attend_sparsely(model, list(manifest.token_ids.values()), manifest.sparse_attention)
    unit = load_adapter(model, folder, list(manifest.token_ids.values()))
    use_rows_beside_frozen(unit)
    if model_max_length:
        check_length(model.config, model_max_length, getattr(unit.active_peft_config, "num_virtual_tokens", 0))
    return ModelUnit(unit, tokenizer, manifest)


def load_base(
    name: str, dtype: str, model_max_length: int, bits: int | None = None, device: torch.device | None = None
) -> ModelUnit:
    """A base model without planning tokens and adapters: the baseline.

    Raises UserError where the model is not found or not whole, and where ``model_max_length`` exceeds its positions.
    """
    base = resolve(name)
    torch_dtype = choose_dtype(dtype, base.path, device)
    tokenizer = load_tokenizer(base.path)
    model = load_causal_lm(base.path, torch_dtype, bits, device=device)
    check_vocabulary(base.path, tokenizer, model)
    check_length(model.config, model_max_length)
    manifest = Manifest(
        base_model=name,
        base_revision=base.revision,
        base_fingerprint=fingerprint_of(model),
        dtype=dtype_name(torch_dtype),
        parameter_efficient_mode="none",
        planning_tokens=PlanningTokens(),
        token_ids={},
        rows=model.get_input_embeddings().weight.shape[0],
        bits=bits,
        model_max_length=model_max_length,
    )
    return ModelUnit(model, tokenizer, manifest)
