"""The options that a run was begun with, frozen in its folder as a recipe."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml

from memreason.config.ablations import VariantConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.runtime.files import atomic_write
from memreason.runtime.reading import check_fields, reading

CONFIG = "config.yaml"


_OPTIONS = (ModelConfig, DataConfig, VariantConfig)


_DATA = [field.name for field in fields(DataConfig)]


_AGAIN = "copy the folder again, or give another one"


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write the frozen config as YAML that `memreason train --config` takes."""
    with atomic_write(folder / CONFIG) as file:
        yaml.safe_dump(config, file, sort_keys=False, allow_unicode=True)


def read_config(folder: Path) -> dict[str, Any]:
    """The frozen config in ``folder``; UserError where there is none or it is not YAML."""
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise UserError(f"{path}: No such file; a checkpoint of memreason has this file beside its weights")
    with reading(f"{path}: not valid YAML", _AGAIN):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise UserError(f"{path}: is empty, or no list of options; the run cannot be gone on with")
    with reading(f"{path}: not a config that memreason wrote", _AGAIN):
        for kind in _OPTIONS:
            check_fields(kind, config)
    return config


def data_options(folder: Path) -> dict[str, Any]:
    """All options of `DataConfig`, as the frozen config of ``folder`` has them; UserError where they cannot be."""
    path, config = Path(folder) / CONFIG, read_config(folder)
    if "dataset" not in config:
        raise UserError(f"{path}: says no dataset; {_AGAIN}")
    try:
        return asdict(DataConfig(**{name: config[name] for name in _DATA if name in config}))
    except UserError as error:
        raise UserError(f"{path}: {error}; {_AGAIN}") from error
