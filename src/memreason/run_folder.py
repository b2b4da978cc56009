"""One run, one folder: its frozen config, and whether it is new, unfinished or finished."""

from __future__ import annotations

import shutil
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml

from memreason.base_models import absolute
from memreason.config import DataConfig, ModelConfig
from memreason.errors import UserError
from memreason.manifest import is_checkpoint, read_manifest
from memreason.records import atomic_write
from memreason.training_config import TrainingConfig
from memreason.variants import VariantConfig

CONFIG = "config.yaml"
FINISHED = "metrics.json"
"""Written last: a run folder that has it is finished."""
_OF_A_RUN = (FINISHED, "memreason.json", "trainer_state.json", "adapter_*", "model*.safetensors*",
             "checkpoint-*", "epochs", "evaluation*")  # fmt: skip
_DEFAULTS = {f.name: f.default for of in (ModelConfig, DataConfig, VariantConfig) for f in fields(of)}
_NOT_FROZEN = {"resume", "overwrite_output_dir", "output_dir", "on_device", "use_cpu", "dataloader_pin_memory"}
"""What a run can go on without, or with another one: where it lies, and the device."""


def frozen_config(
    model: ModelConfig, data: DataConfig, training: TrainingConfig, variants: VariantConfig
) -> dict[str, Any]:
    """All our options and every training argument that is not at its default, as a recipe.

    Secrets are left out. ``data_path`` is made absolute where it is a path here, so that the
    checkpoint can be evaluated from anywhere.
    """
    # On the same device: transformers holds one for all TrainingArguments, the last ones'.
    defaults = TrainingConfig(output_dir=training.output_dir, use_cpu=training.use_cpu, on_device=training.on_device)
    at_default = defaults.to_dict()
    given = {
        key: value
        for key, value in training.to_dict().items()
        if at_default.get(key) != value and key not in _NOT_FROZEN and not key.endswith("_token")
    }
    main = {
        key: training.to_dict()[key]
        for key in ("learning_rate", "num_train_epochs", "per_device_train_batch_size",
                    "per_device_eval_batch_size", "gradient_accumulation_steps", "seed")
    }  # fmt: skip
    config = {**asdict(model), **asdict(variants), **asdict(data), **main, **given}
    config["model_name_or_path"] = absolute(model.model_name_or_path)
    if data.data_path and Path(data.data_path).exists():
        config["data_path"] = str(Path(data.data_path).resolve())
    if model.step_types_path:
        config["step_types_path"] = str(Path(model.step_types_path).resolve())
    return config


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write the frozen config as YAML that `memreason train --config` takes."""
    with atomic_write(folder / CONFIG) as file:
        yaml.safe_dump(config, file, sort_keys=False, allow_unicode=True)


def read_config(folder: Path) -> dict[str, Any]:
    """The frozen config in ``folder``; UserError where there is none or it is not YAML."""
    path = Path(folder) / CONFIG
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror}; a checkpoint of memreason has this file beside its weights"
        ) from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path}: is empty, or no list of options; the run cannot be gone on with")
    return config


def check_run(folder: Path, config: dict[str, Any], resume: bool, overwrite: bool) -> bool:
    """Whether there is a run in ``folder`` to go on with; writes nothing.

    A run goes on with any device, and in its own data type where `auto` is said (`begun_dtype`).
    With ``resume`` and nothing there (a run killed before it began, say), the answer is no. Raises
    UserError where the folder holds a run and neither ``resume`` nor ``overwrite`` is said, and
    where the run to resume was begun with other options.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output_dir {folder} is a file; give a folder")
    if not (folder / CONFIG).exists():
        others = sorted(path.name for pattern in _OF_A_RUN for path in folder.glob(pattern))
        if others:
            raise UserError(f"--output_dir {folder} holds {', '.join(others)}, but no run; give an empty folder")
        return False
    if resume:
        known = {key: value for key, value in _DEFAULTS.items() if key in config}
        begun = {**known, **read_config(folder)}  # a run may be older than an option
        changed = [
            key
            for key in {**begun, **config}
            if begun.get(key) != config.get(key)
            and key not in _NOT_FROZEN
            and (key, config.get(key)) != ("dtype", "auto")
        ]
        if changed:
            pairs = ", ".join(f"{key} was {begun.get(key)!r} and is {config.get(key)!r}" for key in changed)
            raise UserError(f"--resume: the run in {folder} was begun with other options: {pairs}")
        return True
    if not overwrite:
        raise UserError(
            f"{folder} already holds a run: continue it with --resume, start it anew with "
            "--overwrite_output_dir, or give another --output_dir"
        )
    return False


def begun_dtype(folder: Path) -> str:
    """The data type that the run in ``folder`` was begun in; `auto` where nothing there knows."""
    for checkpoint in folder.glob("checkpoint-*"):  # of a run that was begun before its config knew
        if is_checkpoint(checkpoint):
            return read_manifest(checkpoint).dtype
    return read_config(folder).get("dtype", "auto")


def begin_run(folder: Path, config: dict[str, Any]) -> None:
    """Remove the run that `check_run` found in ``folder``, if any, and freeze ``config`` there."""
    before = config["k_shot"] and not config["use_demonstrations"]
    stale = () if before else ("before",)  # else it was just written
    for pattern in (*_OF_A_RUN, ".saving.*", *stale, CONFIG):
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    try:
        write_config(folder, config)
    except (PermissionError, NotADirectoryError) as error:
        raise UserError(f"--output_dir {folder}: cannot be written to ({error.strerror})") from error
