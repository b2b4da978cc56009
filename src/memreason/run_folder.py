"""One run, one folder: its frozen config, and whether it is new, unfinished or finished."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from memreason.config import DataConfig, ModelConfig
from memreason.errors import UserError
from memreason.records import atomic_write
from memreason.training_config import TrainingConfig

CONFIG = "config.yaml"
FINISHED = "metrics.json"
"""Written last: a run folder that has it is finished."""
_OF_A_RUN = (CONFIG, FINISHED, "memreason.json", "trainer_state.json", "adapter_*", "model*.safetensors*",
             "checkpoint-*", "before", "epochs", "evaluation")  # fmt: skip
_NOT_FROZEN = {"resume", "overwrite_output_dir", "output_dir", "resume_from_checkpoint", "logging_dir"}


def frozen_config(model: ModelConfig, data: DataConfig, training: TrainingConfig) -> dict[str, Any]:
    """All our options and every training argument that is not at its default, as a recipe.

    Secrets are left out. ``data_path`` is made absolute where it is a path here, so that the
    checkpoint can be evaluated from anywhere.
    """
    defaults = TrainingConfig(output_dir=training.output_dir).to_dict()
    given = {
        key: value
        for key, value in training.to_dict().items()
        if defaults.get(key) != value and key not in _NOT_FROZEN and "token" not in key
    }
    main = {
        key: training.to_dict()[key]
        for key in ("learning_rate", "num_train_epochs", "per_device_train_batch_size",
                    "per_device_eval_batch_size", "gradient_accumulation_steps", "seed")
    }  # fmt: skip
    config = {**asdict(model), **asdict(data), **main, **given}
    if data.data_path and Path(data.data_path).exists():
        config["data_path"] = str(Path(data.data_path).resolve())
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
    return config


def open_run(folder: Path, config: dict[str, Any], resume: bool, overwrite: bool) -> None:
    """Make ``folder`` ready for the run that ``config`` describes, and freeze ``config`` in it.

    Raises UserError where it holds another run and neither ``resume`` nor ``overwrite`` is said,
    where there is nothing to resume, and where the run to resume was begun with other options.
    """
    exists = (folder / CONFIG).exists()
    if resume:
        if not exists:
            raise UserError(f"--resume: there is no run in {folder}; leave --resume out to start one")
        begun = read_config(folder)
        changed = [key for key in {**begun, **config} if begun.get(key) != config.get(key)]
        if changed:
            pairs = ", ".join(f"{key} was {begun.get(key)!r} and is {config.get(key)!r}" for key in changed)
            raise UserError(f"--resume: the run in {folder} was begun with other options: {pairs}")
        return
    if exists and not overwrite:
        raise UserError(
            f"{folder} already holds a run: continue it with --resume, start it anew with "
            "--overwrite_output_dir, or give another --output_dir"
        )
    if exists:
        _remove_run(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder, config)


def _remove_run(folder: Path) -> None:
    """Remove what a run wrote, and nothing else that somebody may have put beside it."""
    for pattern in _OF_A_RUN:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
