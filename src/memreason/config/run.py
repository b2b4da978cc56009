"""The options that a run was started with, kept in its folder as a recipe (the *frozen config*)."""

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
    """The options that a run was started with. An option that is missing in an older file gets its default.

    ``others`` holds the rest of the training arguments, name → value, without those that are at their defaults.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    ablations: AblationConfig = field(default_factory=AblationConfig)
    data: DataConfig = field(default_factory=DataConfig)
    training: MainArguments = field(default_factory=MainArguments)
    others: Mapping[str, Any] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """All options, name → value, as in a recipe."""
        named = {**asdict(self.model), **asdict(self.ablations), **asdict(self.data), **asdict(self.training)}
        return {**named, **self.others}

    @staticmethod
    def of(options: Mapping[str, Any]) -> RunConfig:
        """The config with these ``options``, which its method `options` returns again.

        Raises TypeError for a value of the wrong type, UserError for a value that the option cannot have.
        """
        options = {**options, "base_model_name_or_path": None}  # it only repeats model_name_or_path, or is None

        def part(kind: type[Part]) -> Part:
            check_fields(kind, options)
            return kind(**{name: options[name] for name in _names(kind) if name in options})

        known = {name for kind in _PARTS for name in _names(kind)}
        others = {name: value for name, value in options.items() if name not in known}
        return RunConfig(part(ModelConfig), part(AblationConfig), part(DataConfig), part(MainArguments), others)

    def in_dtype(self, dtype: str) -> RunConfig:
        """The same config with ``dtype`` as the data type of the weights."""
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
    """Name → value of the options in the config file in ``folder``.

    Raises UserError where there is no such file, it is not YAML, or an option has a value of the wrong type.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise UserError(f"{path}: No such file; a checkpoint of memreason has this file beside its weights")
    with reading(f"{path}: not valid YAML", _AGAIN):
        options = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(options, dict):
        raise UserError(f"{path}: is empty, or has no list of options; the run cannot be continued")
    with reading(f"{path}: not a config that memreason wrote", _AGAIN):
        for kind in (ModelConfig, AblationConfig, DataConfig):
            check_fields(kind, options)
    return options


def recorded_options(folder: Path) -> dict[str, Any]:
    """As `read_options`; empty where there is no config file. Raises UserError where it is damaged."""
    return read_options(folder) if (folder / CONFIG).is_file() else {}


def read_config(folder: Path, options: Mapping[str, Any] | None = None) -> RunConfig:
    """The frozen config in ``folder``; UserError where there is none, or it is damaged.

    ``options`` are what `read_options` gave for this folder, if it was read already.
    """
    path, options = Path(folder) / CONFIG, read_options(folder) if options is None else options
    if "dataset" not in options:
        raise UserError(f"{path}: names no dataset; {_AGAIN}")
    try:
        with reading(f"{path}: not a config that memreason wrote", _AGAIN):
            return RunConfig.of(options)
    except UserError as error:
        message = str(error)
        raise UserError(message if message.startswith(str(path)) else f"{path}: {message}; {_AGAIN}") from error
