"""Base LM + planning tokens + adapters as one unit: build, save, load, merge.

Three shapes of model are right here: untied embeddings with an exact vocabulary (Llama), untied with
more rows than the tokenizer has tokens (Qwen2.5-7B), and tied (SmolLM2, Qwen2.5-0.5B). Which rows are
new is decided by token id, never by the number of rows, and the matrix never shrinks.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import RLock

import torch
from peft import PeftModel, prepare_model_for_kbit_training
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import set_peft_model_state_dict
from safetensors import SafetensorError
from torch import nn
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from memreason.config.ablations import VariantConfig
from memreason.config.model import PREFIX_TUNING, ModelConfig
from memreason.errors import UserError
from memreason.kernels.trainable_tokens import use_rows_beside_frozen
from memreason.models.adapter_files import check_adapter, load_adapter, read_adapter
from memreason.models.adapters import adapted_weight, with_adapters
from memreason.models.base import absolute, base_of, fingerprint_of, load_causal_lm, load_tokenizer, resolve
from memreason.models.base_checks import (
    check_finite,
    check_length,
    check_rows,
    check_tied,
    check_tokens,
    check_training_dtype,
    check_vocabulary,
)
from memreason.models.dtypes import choose_dtype, dtype_name, training_dtype
from memreason.models.manifest import MANIFEST, Manifest, read_manifest
from memreason.models.sharding import is_sharded, plain_names, take_over, whole_weights
from memreason.models.sparse_attention import attend_sparsely
from memreason.models.token_embeddings import add_tokens, initialise_rows, resize
from memreason.planning_tokens.layout import PlanningTokens
from memreason.runtime import distributed
from memreason.runtime.interruptions import as_os_error


@dataclass
class ModelUnit:
    """A causal LM (under PEFT or bare), its tokenizer, and its manifest."""

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    manifest: Manifest
    _in_use: RLock = field(default_factory=RLock, repr=False, compare=False)

    @property
    def layout(self) -> PlanningTokens:
        """The planning tokens of this model, and with them its text layout."""
        return self.manifest.planning_tokens

    @cached_property
    def end_id(self) -> int:
        """The token that ends a solution."""
        return self.layout.end_id(self.tokenizer)

    @property
    def device(self) -> torch.device:
        """Where the embeddings, and so the inputs, are."""
        return next(self.model.parameters()).device

    @contextmanager
    def merged(self) -> Iterator[PreTrainedModel | PeftModel]:
        """The model with its adapters folded into the weights, in evaluation mode, for a while.

        Afterwards every weight is bit for bit what it was: the originals are kept aside, because
        subtracting an adapter again is not exact in 16 bits. Quantized and sharded weights stay unmerged; a
        trained prefix cannot be folded in, so that is the base model, to be used with `prefix_cache`.
        One thread at a time; another one waits.
        """
        with self._in_use:
            yield from self._folded()

    def _folded(self) -> Iterator[PreTrainedModel | PeftModel]:
        training = self.model.training
        self.model.eval()
        layers = [m for m in self.model.modules() if isinstance(m, BaseTunerLayer)]
        if not layers or getattr(self.model, "is_quantized", False) or is_sharded(self.model):
            try:
                yield self.model.get_base_model() if self._has_prefix else self.model
            finally:
                self.model.train(training)
            return
        weights = {id(weight): weight for weight in map(adapted_weight, layers)}
        # Copies on the CPU: a second set of weights may not fit on the GPU.
        originals = {key: weight.data.to("cpu", copy=True) for key, weight in weights.items()}
        self.model.merge_adapter()
        try:
            yield self.model
        finally:
            self.model.unmerge_adapter()
            for key, weight in weights.items():
                weight.data = originals[key].to(weight.device)
            self.model.train(training)

    @property
    def _has_prefix(self) -> bool:
        return self.manifest.parameter_efficient_mode == PREFIX_TUNING

    @torch.no_grad()
    def prefix_cache(self) -> DynamicCache | None:
        """The keys and values that mode `prefix-tuning` trained to stand before every text, for one row."""
        return self.model.get_prompt(1) if self._has_prefix else None

    def merge(self) -> PreTrainedModel:
        """Fold the adapters into the base model for good and return it; the unit is used up.

        Raises UserError for mode `prefix-tuning`, whose keys and values are no weights of the model.
        """
        if self._has_prefix:
            raise UserError("a prefix-tuned model cannot be merged: load it with PEFT, as it is")
        if not isinstance(self.model, PeftModel):
            return self.model
        model = self.model.merge_and_unload()
        model.tie_weights()
        return model

    def save(self, folder: Path) -> None:
        """Write adapters and new rows (all weights in mode `none`), tokenizer and manifest.

        Files are written aside and moved into ``folder`` when all are whole, the manifest last, so
        no half-written file ever stands under its final name. Raises OSError (a full disk, say)
        with the folder as it was. Of several processes the main one writes; where weights are sharded,
        all must call this.
        """
        whole = whole_weights(self.model) if is_sharded(self.model) else None
        if not distributed.is_main():
            return
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder, prefix=".saving."))
        try:
            self._write(aside, whole)
            for file in sorted(aside.iterdir(), key=lambda file: file.name == MANIFEST):
                os.replace(file, folder / file.name)
        except SafetensorError as error:  # which is no OSError, whatever its cause
            raise as_os_error(error, folder) or error from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _write(self, folder: Path, state_dict: dict[str, torch.Tensor] | None) -> None:
        if isinstance(self.model, PeftModel):
            for config in self.model.peft_config.values():  # else it would name a folder in this machine's cache
                config.base_model_name_or_path = self.manifest.hub_id or self.manifest.base_model
                config.revision = self.manifest.hub_revision or None
            with plain_names(self.model):
                self.model.save_pretrained(folder, save_embedding_layers=False, state_dict=state_dict)
            (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
        else:
            self.model.save_pretrained(folder, state_dict=state_dict)
        self.tokenizer.save_pretrained(folder)
        self.manifest.write(folder)

    def load_weights(self, folder: Path) -> None:
        """Take over the trained weights saved in ``folder`` by a unit of the same build; UserError where those are
        damaged or others."""
        if isinstance(self.model, PeftModel):
            saved = read_adapter(folder)
            if not is_sharded(self.model):
                check_adapter(self.model, saved, folder)
            load = set_peft_model_state_dict
        else:
            saved = _load_whole(folder, self.model.dtype, device=torch.device("cpu")).state_dict()
            load = nn.Module.load_state_dict
        (take_over if is_sharded(self.model) else load)(self.model, saved)


def build(
    config: ModelConfig,
    model_max_length: int,
    seed: int = 0,
    variants: VariantConfig | None = None,
    device: torch.device | None = None,
) -> ModelUnit:
    """A fresh unit, ready to train: base model, new tokens and rows, adapters, and what is frozen.

    ``seed`` seeds the noise on the new rows and the adapters' initial weights, or all weights of a
    model that is initialised at random. ``device`` is where the weights go (default: as `choose_device`
    says). Raises UserError for a base model that cannot be had or is not whole, a tokenizer that does not belong to it
    or already holds a planning token's name, more tokens than it has positions, quantized weights without a
    backend for them, or ``variants`` that make no sense with the model's options.
    """
    check_training_dtype(config)
    variants = variants or VariantConfig()
    layout = variants.layout(config)
    mode = config.parameter_efficient_mode
    base = resolve(config.model_name_or_path)
    dtype = training_dtype(config, device)
    tokenizer = load_tokenizer(base.path)
    layout.end_id(tokenizer)  # refuses a chat template that is not there
    token_ids = add_tokens(tokenizer, layout)
    model = load_causal_lm(base.path, dtype, config.bits, seed if variants.random_initialize else None, device)
    check_tied(base.path, model)
    check_vocabulary(base.path, tokenizer, model, added=token_ids)
    check_length(model.config, model_max_length, config.num_virtual_tokens if mode == PREFIX_TUNING else 0)
    fingerprint = fingerprint_of(model)
    rows = resize(model, len(tokenizer))
    inferred = config.inferred
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
        sparse_attention=variants.sparse_attention,
        step_type_record=inferred.record if inferred else None,
        hub_id=base.hub_id,
        hub_revision=base.hub_revision,
    )
    _restrict(model, manifest)
    if config.bits:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    torch.manual_seed(seed)
    return ModelUnit(with_adapters(model, config, list(token_ids.values())), tokenizer, manifest)


def load(
    folder: Path,
    base: str | None = None,
    dtype: str | None = None,
    bits: int | None = None,
    model_max_length: int | None = None,
    device: torch.device | None = None,
) -> ModelUnit:
    """A saved unit, for generation; what is given overrides what its manifest says.

    Raises UserError where ``folder`` has no (readable) manifest, where the base model or the
    tokenizer found differs from the manifest's, and where files are missing, damaged or do not fit each other.
    """
    manifest = read_manifest(folder)
    whole = manifest.parameter_efficient_mode == "none"
    source = None if whole else base_of(folder, manifest.base_model, manifest.base_revision, base)
    torch_dtype = choose_dtype(dtype or manifest.dtype, source.path if source else str(folder), device)
    bits = bits or manifest.bits
    # float16 rounds otherwise than bfloat16, which fingerprints are taken in.
    comparable = not bits and (manifest.dtype == "float16") == (torch_dtype == torch.float16)
    manifest = replace(
        manifest,
        dtype=dtype_name(torch_dtype),
        bits=bits,
        model_max_length=model_max_length or manifest.model_max_length,
    )
    tokenizer = load_tokenizer(str(folder))
    check_tokens(str(folder), tokenizer, manifest)
    if source is None:
        model = _load_whole(folder, torch_dtype, device, bits)
        if model_max_length:
            check_length(model.config, model_max_length)
        _restrict(model, manifest)
        return ModelUnit(model, tokenizer, manifest)
    model = load_causal_lm(source.path, torch_dtype, bits, device=device)
    if comparable and fingerprint_of(model) != manifest.base_fingerprint:
        raise UserError(
            f"{folder} was trained on {manifest.base_model} ({manifest.base_revision or 'local folder'}), and the "
            f"model found at {source.path} has other weights; give the right one with --base_model_name_or_path"
        )
    if not base:  # manifests were without these once
        manifest = replace(manifest, hub_id=source.hub_id, hub_revision=source.hub_revision)
    check_rows(str(folder), model, manifest.rows, manifest.token_ids.values())
    resize(model, manifest.rows)
    _restrict(model, manifest)
    unit = load_adapter(model, folder, list(manifest.token_ids.values()))
    use_rows_beside_frozen(unit)
    if model_max_length:
        check_length(model.config, model_max_length, getattr(unit.active_peft_config, "num_virtual_tokens", 0))
    return ModelUnit(unit, tokenizer, manifest)


def _load_whole(
    folder: Path, dtype: torch.dtype, device: torch.device | None, bits: int | None = None
) -> PreTrainedModel:
    """The model of a checkpoint that holds every weight; UserError where these are not all there and finite."""
    model = load_causal_lm(str(folder), dtype, bits, device=device, exact=True)
    again = "take another checkpoint-… folder of the run, another --dtype, or train again"
    check_finite(model.named_parameters(), str(folder), again)
    return model


def _restrict(model: PreTrainedModel, manifest: Manifest) -> None:
    """Sparse attention, where the manifest says so."""
    if manifest.sparse_attention:
        attend_sparsely(model, list(manifest.token_ids.values()), manifest.sparse_attention)


def load_base(
    name: str, dtype: str, model_max_length: int, bits: int | None = None, device: torch.device | None = None
) -> ModelUnit:
    """A base model as it is, without planning tokens: the baseline."""
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
