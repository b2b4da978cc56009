"""The options that a run was begun with, frozen in its folder as a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.fields import check_at_least
from memreason.config.model import ModelConfig
from memreason.config.training import TrainingOptions
from memreason.errors import UserError
from memreason.runtime.files import atomic_write
from memreason.runtime.reading import check_fields, reading

CONFIG = "config.yaml"
_AGAIN = "copy the folder again, or give another one"
Part = TypeVar("Part", "ModelConfig", "AblationConfig", "DataConfig", "MainArguments")


@dataclass(frozen=True)
class MainArguments:
    """The training arguments that every frozen config has, whatever their values."""

    learning_rate: float = TrainingOptions.learning_rate
    num_train_epochs: float = TrainingOptions.num_train_epochs
    per_device_train_batch_size: int = TrainingOptions.per_device_train_batch_size
    per_device_eval_batch_size: int = TrainingOptions.per_device_eval_batch_size
    gradient_accumulation_steps: int = TrainingOptions.gradient_accumulation_steps
    seed: int = TrainingOptions.seed

    def __post_init__(self) -> None:
        check_at_least("per_device_eval_batch_size", self.per_device_eval_batch_size, 1)


@dataclass(frozen=True)
class RunConfig:
    """What a run was begun with; a file that is older than an option is read with the option's default.

    ``others`` are the rest of the training arguments, by their names, as far as they are not at their defaults.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    ablations: AblationConfig = field(default_factory=AblationConfig)
    data: DataConfig = field(default_factory=DataConfig)
    training: MainArguments = field(default_factory=MainArguments)
    others: Mapping[str, Any] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """All of them by their names, as a recipe has them."""
        named = {**asdict(self.model), **asdict(self.ablations), **asdict(self.data), **asdict(self.training)}
        return {**named, **self.others}

    @staticmethod
    def of(options: Mapping[str, Any]) -> RunConfig:
        """The config that `options` gives back. Raises TypeError for a value of another type than its option's,
        UserError for one that the option cannot have."""
        options = {**options, "base_model_name_or_path": None}  # which says model_name_or_path again, or nothing

        def part(kind: type[Part]) -> Part:
            check_fields(kind, options)
            return kind(**{name: options[name] for name in _names(kind) if name in options})

        known = {name for kind in _PARTS for name in _names(kind)}
        others = {name: value for name, value in options.items() if name not in known}
        return RunConfig(part(ModelConfig), part(AblationConfig), part(DataConfig), part(MainArguments), others)

    def in_dtype(self, dtype: str) -> RunConfig:
        """The same with the data type of the weights."""
        return replace(self, model=replace(self.model, dtype=dtype))


_PARTS = (ModelConfig, AblationConfig, DataConfig, MainArguments)
"""No option is in two of them."""


def _names(kind: type) -> list[str]:
    return [each.name for each in fields(kind)]


def write_config(folder: Path, config: RunConfig) -> None:
    """Write the frozen config as YAML that `memreason train --config` takes."""
    with atomic_write(folder / CONFIG) as file:
        yaml.safe_dump(config.options(), file, sort_keys=False, allow_unicode=True)


def read_options(folder: Path) -> dict[str, Any]:
    """Names and values in the config in ``folder``, whoever wrote it; UserError where there is none, or no YAML."""
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise UserError(f"{path}: No such file; a checkpoint of memreason has this file beside its weights")
    with reading(f"{path}: not valid YAML", _AGAIN):
        options = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(options, dict):
        raise UserError(f"{path}: is empty, or no list of options; the run cannot be gone on with")
    with reading(f"{path}: not a config that memreason wrote", _AGAIN):
        for kind in _PARTS:
            check_fields(kind, options)
    return options


def read_config(folder: Path) -> RunConfig:
    """The frozen config in ``folder``; UserError where there is none, or it is damaged."""
    path, options = Path(folder) / CONFIG, read_options(folder)
    if "dataset" not in options:
        raise UserError(f"{path}: says no dataset; {_AGAIN}")
    try:
        return RunConfig.of(options)
    except UserError as error:
        raise UserError(f"{path}: {error}; {_AGAIN}") from error
