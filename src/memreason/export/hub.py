"""`--to hub`: a repository on the Hugging Face hub, with a model card written from the run."""

from __future__ import annotations

import dataclasses
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from memreason.config.checks import PREFIX_TUNING
from memreason.config.run import RunConfig, write_config
from memreason.export.base import Exported, check_output, files_in, new_folder, write_marker
from memreason.export.config import HUB_OPTIONS, ExportConfig
from memreason.export.model_card import card_data, card_text
from memreason.export.repository import Repository, check_name
from memreason.export.run_record import RunRecord, base_name, read_run, without_folders
from memreason.export.targets import TARGETS
from memreason.models.adapter_files import ADAPTER_CONFIG
from memreason.models.manifest import MANIFEST
from memreason.runtime.files import read_json, write_json

README = "README.md"
LICENCES = {"HuggingFaceTB/SmolLM2-135M-Instruct": {"license": "apache-2.0"}}
"""Base model → its licence, for when the hub is not asked."""


def export(config: ExportConfig) -> Exported:
    """Write the folder and publish it, or only write it (`--dry_run`); return what was written.

    Whatever can be refused is refused before the model is loaded: a bad name, no token, a hub that cannot be reached, a
    repository of another model. The folder is written and verified by the exporter of ``config.what``, and is kept
    where sending it fails. Raises UserError for all of these.
    """
    if config.push_to_hub:
        check_name(config.push_to_hub)
    run = read_run(config.checkpoint)
    check_output(config.folder, config.overwrite_output_dir)
    what = config.what or ("adapter" if run.manifest.parameter_efficient_mode == PREFIX_TUNING else "merged")
    repository = None
    if not config.dry_run and config.push_to_hub:
        repository = Repository.find(config.push_to_hub, config.private)
        repository.check_fits(what, run.manifest.hub_id, config.overwrite_repository)
    name = repository.name if repository else config.push_to_hub or config.checkpoint.resolve().name
    licence = LICENCES.get(run.manifest.hub_id, {})
    if repository and not licence:
        licence = repository.licence_of(run.manifest.hub_id)
    with new_folder(config.folder, config.overwrite_output_dir) as folder:
        written = _write(config, what, folder)
        checks: dict[str, Any] = dict(written.checks)
        sections = _sections((folder / README).read_text(encoding="utf-8").replace(folder.name, name))
        _add_records(config.checkpoint, folder, run)
        card = f"---\n{card_data(name, what, run, licence)}\n---\n\n{card_text(name, what, run, licence, sections)}"
        (folder / README).write_text(card, encoding="utf-8")
        write_marker(folder, config.to, checks)
    notes = tuple(note.replace(folder.name, name) for note in written.notes)
    if repository:
        checks["published"] = repository.send(config.folder, what)
    else:
        notes += (f"Nothing was sent. To publish the folder as it is: hf upload {name} {config.folder}",)
        if not config.push_to_hub:
            notes += (f"Its card calls the model {name}; give another name with --push_to_hub OWNER/NAME.",)
    if not run.manifest.hub_id:
        notes += (
            f"The base model {base_name(run.manifest)} is not known on the hub, so the card does not link to it.",
        )
    return Exported(config.folder, files_in(config.folder), checks, notes)


def _write(config: ExportConfig, what: str, folder: Path) -> Exported:
    """Write the model into ``folder``, which is empty, by the exporter of that kind."""
    changes: dict[str, Any] = {"to": what, "output_dir": str(folder), "overwrite_output_dir": False}
    changes |= {field.name: field.default for field in dataclasses.fields(config) if field.name in HUB_OPTIONS}
    exported: Exported = import_module(TARGETS[what]).export(dataclasses.replace(config, **changes))
    return exported


def _add_records(checkpoint: Path, folder: Path, run: RunRecord) -> None:
    """Add what memreason reads of a checkpoint, and take the places of this machine's folders out of it."""
    if not (folder / MANIFEST).is_file():
        shutil.copyfile(checkpoint / MANIFEST, folder / MANIFEST)
    for path in (folder / MANIFEST, folder / ADAPTER_CONFIG):
        if path.is_file():
            write_json(path, without_folders(read_json(path)))
    if run.options:  # other training arguments can name machines and accounts
        write_config(folder, dataclasses.replace(RunConfig.of(without_folders(run.options)), others={}))


def _sections(readme: str) -> dict[str, str]:
    """Title → text of the sections of an exporter's README."""
    parts = re.split(r"^## (.+)\n+", readme, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))
