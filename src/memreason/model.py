"""Base LM + planning tokens + adapters as one unit: build, save, load, merge.

Three shapes of model are right here: untied embeddings with an exact vocabulary (Llama), untied with
more rows than the tokenizer has tokens (Qwen2.5-7B), and tied (SmolLM2, Qwen2.5-0.5B). Which rows are
new is decided by token id, never by the number of rows, and the matrix never shrinks.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TrainableTokensConfig, get_peft_model, prepare_model_for_kbit_training
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.pytorch_utils import Conv1D

from memreason.base_models import fingerprint_of, load_causal_lm, load_tokenizer, pick_dtype, resolve
from memreason.config import ModelConfig
from memreason.errors import UserError
from memreason.manifest import MANIFEST, Manifest, read_manifest
from memreason.planning_tokens import PlanningTokens
from memreason.token_rows import add_tokens, initialise_rows, resize, use_rows_beside_frozen

ADAPTER_WEIGHTS = "adapter_model.safetensors"

_PARENTS = {"mlp": ("mlp", "ffn", "feed_forward"), "atten": ("attn", "attention")}


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

    @property
    def device(self) -> torch.device:
        """Where the embeddings, and so the inputs, are."""
        return self.model.get_input_embeddings().weight.device

    @contextmanager
    def merged(self) -> Iterator[PreTrainedModel | PeftModel]:
        """The model with its adapters folded into the weights, in evaluation mode, for a while.

        Afterwards every weight is bit for bit what it was: the originals are kept aside, because
        subtracting an adapter again is not exact in 16 bits. Quantized weights stay unmerged. One
        thread at a time; another one waits.
        """
        with self._in_use:
            yield from self._folded()

    def _folded(self) -> Iterator[PreTrainedModel | PeftModel]:
        training = self.model.training
        self.model.eval()
        layers = [m for m in self.model.modules() if isinstance(m, BaseTunerLayer)]
        if not layers or getattr(self.model, "is_quantized", False):
            try:
                yield self.model
            finally:
                self.model.train(training)
            return
        weights = {id(layer): layer.get_base_layer().weight for layer in layers}
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

    def merge(self) -> PreTrainedModel:
        """Fold the adapters into the base model for good and return it; the unit is used up."""
        if not isinstance(self.model, PeftModel):
            return self.model
        model = self.model.merge_and_unload()
        model.tie_weights()
        return model

    def save(self, folder: Path) -> None:
        """Write adapters and new rows (all weights in mode `none`), tokenizer and manifest.

        Files are written aside and moved into ``folder`` when all are whole, the manifest last, so
        no half-written file ever stands under its final name. Raises OSError (a full disk, say)
        with the folder as it was.
        """
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder, prefix=".saving."))
        try:
            self._write(aside)
            for file in sorted(aside.iterdir(), key=lambda file: file.name == MANIFEST):
                os.replace(file, folder / file.name)
        except SafetensorError as error:  # which is no OSError, whatever its cause
            if "os error 28" in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _write(self, folder: Path) -> None:
        if isinstance(self.model, PeftModel):
            self.model.save_pretrained(folder, save_embedding_layers=False)
            (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
        else:
            self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        self.manifest.write(folder)

    def load_weights(self, folder: Path) -> None:
        """Take over the trained weights saved in ``folder`` by a unit of the same build."""
        if isinstance(self.model, PeftModel):
            set_peft_model_state_dict(self.model, load_file(folder / ADAPTER_WEIGHTS))
        else:
            saved = AutoModelForCausalLM.from_pretrained(folder, dtype=self.model.dtype)
            self.model.load_state_dict(saved.state_dict())


def build(config: ModelConfig, model_max_length: int, seed: int = 0) -> ModelUnit:
    """A fresh unit, ready to train: base model, new tokens and rows, adapters, and what is frozen.

    ``seed`` seeds the noise on the new rows and the adapters' initial weights. Raises UserError for
    a base model that cannot be had, a tokenizer that already holds a planning token's name, or
    8-bit weights without a backend for them.
    """
    layout = PlanningTokens()
    if config.add_soft_prompts:
        layout = PlanningTokens(config.num_general_prefix_tokens, config.num_special_prefix_tokens, config.step_types)
    mode = config.parameter_efficient_mode
    dtype = pick_dtype("float32" if mode == "none" and config.dtype == "auto" else config.dtype)
    base = resolve(config.model_name_or_path)
    tokenizer = load_tokenizer(base.path)
    model = load_causal_lm(base.path, dtype, int8=config.int8_training)
    fingerprint = fingerprint_of(model)
    token_ids = add_tokens(tokenizer, layout)
    rows = resize(model, len(tokenizer))
    inferred = config.inferred
    initialise_rows(model, tokenizer, token_ids, seed, inferred.words if inferred else None)
    manifest = Manifest(
        base_model=absolute(config.model_name_or_path),
        base_revision=base.revision,
        base_fingerprint=fingerprint,
        dtype=str(dtype).removeprefix("torch."),
        parameter_efficient_mode=mode,
        planning_tokens=layout,
        token_ids=token_ids,
        rows=rows,
        model_max_length=model_max_length,
        int8=config.int8_training,
        step_type_record=inferred.record if inferred else None,
    )
    if config.int8_training:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    torch.manual_seed(seed)
    return ModelUnit(_with_adapters(model, config, list(token_ids.values())), tokenizer, manifest)


def load(
    folder: Path,
    base: str | None = None,
    dtype: str | None = None,
    int8: bool = False,
    model_max_length: int | None = None,
) -> ModelUnit:
    """A saved unit, for generation; what is given overrides what its manifest says.

    Raises UserError where ``folder`` has no (readable) manifest, or where the base model or the
    tokenizer found differs from the manifest's.
    """
    manifest = read_manifest(folder)
    torch_dtype = pick_dtype(dtype or manifest.dtype)
    int8 = int8 or manifest.int8
    # float16 rounds otherwise than bfloat16, which fingerprints are taken in.
    comparable = not int8 and (manifest.dtype == "float16") == (torch_dtype == torch.float16)
    manifest = replace(
        manifest,
        dtype=str(torch_dtype).removeprefix("torch."),
        model_max_length=model_max_length or manifest.model_max_length,
    )
    tokenizer = load_tokenizer(str(folder))
    found = {name: tokenizer.convert_tokens_to_ids(name) for name in manifest.token_ids}
    if found != manifest.token_ids:
        raise UserError(f"{folder}: its tokenizer gives the planning tokens other ids than {MANIFEST} says")
    if manifest.parameter_efficient_mode == "none":
        return ModelUnit(load_causal_lm(str(folder), torch_dtype, int8), tokenizer, manifest)
    source = resolve(base or manifest.base_model, "" if base else manifest.base_revision)
    model = load_causal_lm(source.path, torch_dtype, int8)
    if comparable and fingerprint_of(model) != manifest.base_fingerprint:
        raise UserError(
            f"{folder} was trained on {manifest.base_model} ({manifest.base_revision or 'local folder'}), and the "
            f"model found at {source.path} has other weights; give the right one with --base_model_name_or_path"
        )
    resize(model, manifest.rows)
    return ModelUnit(PeftModel.from_pretrained(model, folder), tokenizer, manifest)


def absolute(name: str) -> str:
    """A model's name, made absolute where it is a folder here, so that it is found from anywhere."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


def load_base(name: str, dtype: str, model_max_length: int, int8: bool = False) -> ModelUnit:
    """A base model as it is, without planning tokens: the baseline."""
    base = resolve(name)
    torch_dtype = pick_dtype(dtype)
    tokenizer = load_tokenizer(base.path)
    model = load_causal_lm(base.path, torch_dtype, int8)
    manifest = Manifest(
        base_model=name,
        base_revision=base.revision,
        base_fingerprint=fingerprint_of(model),
        dtype=str(torch_dtype).removeprefix("torch."),
        parameter_efficient_mode="none",
        planning_tokens=PlanningTokens(),
        token_ids={},
        rows=model.get_input_embeddings().weight.shape[0],
        model_max_length=model_max_length,
    )
    return ModelUnit(model, tokenizer, manifest)


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


def _with_adapters(model: PreTrainedModel, config: ModelConfig, new_ids: list[int]) -> PreTrainedModel | PeftModel:
    """Adapters, trainable rows, and the right things frozen, for the parameter-efficient mode.

    Mode `lora` holds the new rows in the same place as the others do, but frozen: the checkpoint
    must carry them either way.
    """
    mode = config.parameter_efficient_mode
    if mode == "none":
        return model
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
    if mode == "lora":
        for name, parameter in unit.named_parameters():
            if "trainable_tokens" in name:
                parameter.requires_grad_(False)
    return unit
