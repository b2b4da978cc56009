"""What a checkpoint knows about itself: `memreason.json`, beside the weights. Needs no torch."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from memreason.errors import UserError
from memreason.planning_tokens import PlanningTokens
from memreason.records import write_json

MANIFEST = "memreason.json"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint must know about itself, written to `memreason.json` beside the weights."""

    base_model: str
    base_revision: str
    base_fingerprint: str
    dtype: str
    parameter_efficient_mode: str
    planning_tokens: PlanningTokens
    token_ids: dict[str, int]
    rows: int
    model_max_length: int
    bits: int | None = None
    """8 or 4, where the frozen weights were quantized in training; the checkpoint itself holds none of them."""
    sparse_attention: str = ""
    """What planning tokens see under sparse attention (`variants.STEP` or `ALL`); empty: attention is dense."""
    step_type_record: dict[str, Any] | None = None
    """What inferred the step types: method, model, and a fingerprint of the fit; None for the data's own labels."""
    hub_id: str = ""
    """The base model's name on the hub, by which others load it; empty where it is a folder, or not known."""
    hub_revision: str = ""
    """Of that, where the weights came from there."""
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write it into ``folder``."""
        write_json(folder / MANIFEST, asdict(self))


def is_checkpoint(folder: str | Path) -> bool:
    """Whether ``folder`` holds a checkpoint of ours."""
    return (Path(folder) / MANIFEST).is_file()


def read_manifest(folder: Path) -> Manifest:
    """The manifest in ``folder``; UserError where there is none or it cannot be read."""
    path = Path(folder) / MANIFEST
    if not Path(folder).is_dir():
        raise UserError(f"checkpoint {folder}: no such folder")
    if not path.is_file():
        raise UserError(
            f"{folder}: no {MANIFEST} in it, so it is not a checkpoint of memreason (or its saving was cut off); "
            "give the folder that `memreason train` wrote"
        )
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(fields, dict):
            raise TypeError("no object")
        _check_format(path, fields)
        tokens = fields.pop("planning_tokens")
        tokens["step_types"] = tuple(tokens["step_types"])
        if fields.pop("int8", False):  # as it was written before there were 4 bits
            fields["bits"] = 8
        return Manifest(**fields, planning_tokens=PlanningTokens(**tokens))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a manifest that this version can read ({error})") from error


def _check_format(path: Path, fields: dict[str, Any]) -> None:
    """Raise UserError for what a newer version wrote: reading only the part that is known could be wrong."""
    written = fields.get("format", FORMAT)
    known = {field.name for field in dataclasses.fields(Manifest)} | {"int8"}
    unknown = sorted(set(fields) - known)
    if written == FORMAT and not unknown:
        return
    what = f"format {written}" if written != FORMAT else f"with {', '.join(unknown)}"
    raise UserError(
        f"{path}: written by a newer memreason ({what}; this one reads up to format {FORMAT}): update memreason"
    )
