"""The manifest of a checkpoint: `memreason.json`, beside the weights. Needs no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from memreason.config.ablations import ALL, STEP
from memreason.config.model import DTYPES, PARAMETER_EFFICIENT_MODES
from memreason.errors import UserError
from memreason.planning_tokens.layout import PLACEMENTS, PlanningTokens
from memreason.planning_tokens.names import ANSWER, PREFIX
from memreason.planning_tokens.prompt import PROMPT_TEMPLATES
from memreason.runtime.files import write_json
from memreason.runtime.reading import check_fields, read_object, reading

MANIFEST = "memreason.json"
FORMAT = 1
"""The version of the manifest's form that this code writes and reads."""
_MOST = 10**8
"""Numbers of tokens or rows from here on are taken for damage."""
_AGAIN = "copy the checkpoint again, or take another checkpoint-… folder of the run"


@dataclass(frozen=True)
class Manifest:
    """What loading a checkpoint needs to know about it, written to `memreason.json` beside the weights."""

    base_model: str
    """The base model: its name on the hub, or its folder."""
    base_revision: str
    """The base model's revision on the hub; empty for a folder."""
    base_fingerprint: str
    """A digest of the base model's weights (of their shapes, and of a sample of them), by which it is recognised."""
    dtype: str
    """Data type of the weights during training."""
    parameter_efficient_mode: str
    """Which weights were trained: the value of `--parameter_efficient_mode`."""
    planning_tokens: PlanningTokens
    """Which planning tokens there are, and where they stand."""
    token_ids: dict[str, int]
    """Planning token → its id."""
    rows: int
    """Number of rows of the embedding matrix."""
    model_max_length: int
    """Longest text, in tokens."""
    bits: int | None = None
    """8 or 4, where the frozen weights were quantized in training; these weights are not in the checkpoint."""
    sparse_attention: str = ""
    """What planning tokens see under sparse attention (`config.ablations.STEP` or `ALL`); empty: attention is dense."""
    step_type_record: dict[str, Any] | None = None
    """How the step types were inferred: method, model, and a fingerprint of the fit; null for the data's own labels."""
    hub_id: str = ""
    """The base model's name on the hub, by which other programs load it; empty for a folder, or where not known."""
    hub_revision: str = ""
    """The revision of ``hub_id`` on the hub, if the weights came from there; else empty."""
    reused_tokens: dict[str, str] = field(default_factory=dict)
    """Planning token → the reserved token of the base model in whose place it stands (`--reuse_reserved_tokens`). The
    file has this only if there are any, so that older versions read all others."""
    format: int = FORMAT
    """The version of this file's form."""

    def write(self, folder: Path) -> None:
        """Write the manifest into ``folder``, atomically."""
        fields = asdict(self)
        if not self.reused_tokens:
            del fields["reused_tokens"]
        write_json(folder / MANIFEST, fields)


def is_checkpoint(folder: str | Path) -> bool:
    """Whether ``folder`` holds a checkpoint of memreason, that is, a manifest."""
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
    with reading(f"{path}: not a manifest that this version can read", _AGAIN):
        fields = read_object(path)
        _check_format(path, fields)
        tokens = fields.pop("planning_tokens")
        check_fields(PlanningTokens, tokens)
        if fields.pop("int8", False):  # the field of manifests from before there were 4 bits
            fields["bits"] = 8
        check_fields(Manifest, fields)
        manifest = Manifest(**fields, planning_tokens=PlanningTokens.from_json(tokens))
        _check_values(manifest)
        return manifest


def _check_values(manifest: Manifest) -> None:
    """Raise ValueError for a value of the right type that no manifest of ours has."""
    layout, ids = manifest.planning_tokens, manifest.token_ids.values()
    for name, value, known in (
        ("dtype", manifest.dtype, set(DTYPES) - {"auto"}),
        ("parameter_efficient_mode", manifest.parameter_efficient_mode, PARAMETER_EFFICIENT_MODES),
        ("bits", manifest.bits, (None, 4, 8)),
        ("sparse_attention", manifest.sparse_attention, ("", STEP, ALL)),
        ("placement", layout.placement, PLACEMENTS),
        ("prompt_template", layout.prompt_template, PROMPT_TEMPLATES),
    ):
        if value not in known:
            raise ValueError(f"{name} is {value!r}, which is none of {', '.join(map(repr, known))}")
    for name, number, least in (
        ("num_general_prefix_tokens", layout.num_general_prefix_tokens, 0),
        ("num_special_prefix_tokens", layout.num_special_prefix_tokens, 0),
        ("model_max_length", manifest.model_max_length, 1),
        ("rows", manifest.rows, 1),
    ):
        if not least <= number < _MOST:
            raise ValueError(f"{name} is {number}, which cannot be")
    if not all(0 <= id < manifest.rows for id in ids) or len(set(ids)) < len(ids):
        raise ValueError("token_ids holds an id twice, or an id without a row")
    if not manifest.reused_tokens.keys() <= manifest.token_ids.keys():
        raise ValueError("reused_tokens holds a token that token_ids has not")
    types = [*layout.step_types, PREFIX, ANSWER]
    if twice := sorted({type_ for type_ in types if types.count(type_) > 1}):
        raise ValueError(f"step_types has {twice[0]!r} twice, or as a name of its own")


def _check_format(path: Path, fields: dict[str, Any]) -> None:
    """Raise UserError for a manifest of a newer version: to ignore its unknown fields could be wrong."""
    written = fields.get("format", FORMAT)
    known = {field.name for field in dataclasses.fields(Manifest)} | {"int8"}
    unknown = sorted(set(fields) - known)
    if written == FORMAT and not unknown:
        return
    what = f"format {written}" if written != FORMAT else f"with {', '.join(unknown)}"
    raise UserError(
        f"{path}: written by a newer memreason ({what}; this one reads up to format {FORMAT}): update memreason"
    )
