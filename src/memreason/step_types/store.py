"""Fitted step types in a folder, as JSON and safetensors.

step_types.json          method, dataset and options of the fit, and the types' names and words
step_types.safetensors   centres, weights
steps.jsonl              every step it was fitted to, with its type and its distance to the type's centre
steps.png, losses.png    pictures
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from memreason.config.model import INFERRED
from memreason.errors import UserError
from memreason.runtime.files import read_jsonl, write_json
from memreason.runtime.reading import check_fields, fits, read_object, reading
from memreason.step_types.embeddings import Source
from memreason.step_types.methods import Types, find_method
from memreason.step_types.tensors import write_tensors

RECORD, TENSORS, STEPS = "step_types.json", "step_types.safetensors", "steps.jsonl"
FORMAT = 1
_AGAIN = "fit it again: memreason step-types fit … --overwrite_output_dir"
_RECORD: dict[str, Any] = {
    "method": str, "names": list[str], "dataset": str, "seed": int, "source": dict[str, Any] | None,
    "words": dict[str, list[str]], "settings": dict[str, Any],
}  # fmt: skip


@dataclass(frozen=True)
class Fit:
    """Fitted types, with their method, the model that read the steps (``source``), the dataset and the seed.

    ``source`` is None if no model reads the steps. ``words`` has, for each type, the words that tell its steps from the
    others.
    """

    method: str
    types: Types
    source: Source | None
    dataset: str
    seed: int
    words: dict[str, list[str]]

    @property
    def record(self) -> dict[str, Any]:
        """A small record for a checkpoint: method, types, and a digest of everything that decides a step's type."""
        settings, tensors = self.types.state()
        digest = hashlib.sha256(json.dumps([self.method, self.types.names, settings], sort_keys=True).encode())
        for name in sorted(tensors):
            digest.update(np.ascontiguousarray(tensors[name]).tobytes())
        return {
            "method": self.method,
            "names": list(self.types.names),
            "dataset": self.dataset,
            "seed": self.seed,
            "source": asdict(self.source) if self.source else None,
            "fingerprint": digest.hexdigest()[:16],
        }


def default_folder(dataset: str, method: str, num_types: int, model: str) -> str:
    """The folder where `step-types fit` puts a fit and `train` looks for it.

    ``model`` is a part of it only if the method reads embeddings.
    """
    traits = find_method(method)
    name = INFERRED[method] if traits.fixed_types else f"{method}-{num_types}"
    reader = re.sub(r"[^\w.-]+", "--", model.strip("/")) + "/" if traits.reads_embeddings else ""
    return f"runs/step-types/{dataset}/{reader}{name}"


def save(fit: Fit, folder: Path) -> None:
    """Write the fit into ``folder``; the record comes last, so a folder with a record is complete."""
    settings, tensors = fit.types.state()
    write_tensors(folder / TENSORS, tensors)
    write_json(folder / RECORD, {"format": FORMAT, **fit.record, "words": fit.words, "settings": settings})


def read_record(folder: Path) -> dict[str, Any]:
    """The content of `step_types.json` in ``folder``. Raises UserError if it is missing or cannot be read."""
    if not (folder / RECORD).is_file():
        raise UserError(f"{folder}: no {RECORD} in it; give a folder that `memreason step-types fit` wrote")
    with reading(f"{folder / RECORD}: not a record that this version can read", _AGAIN):
        record = read_object(folder / RECORD)
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']}")
        for name, hint in _RECORD.items():
            if not fits(record[name], hint):
                raise TypeError(f"{name} is not what it should be")
        if record["source"]:
            check_fields(Source, record["source"])
            Source(**record["source"])
        if record["method"] not in INFERRED or not record["names"] or len({*record["names"]}) < len(record["names"]):
            raise ValueError("it names no method, no type, or one twice")
        return record


def read_steps(folder: Path) -> list[dict[str, Any]]:
    """The rows of `steps.jsonl`: every step with its type and its distance. Raises UserError if one is damaged."""
    path, rows = folder / STEPS, []
    with reading(f"{path} cannot be read", _AGAIN):
        for number, row in read_jsonl(path):
            if not (
                fits(row.get("type"), str)
                and fits(row.get("text"), str)
                and fits(row.get("distance"), float)
                and math.isfinite(row["distance"])
            ):
                raise UserError(f"{path}:{number}: no step with type, text and distance; {_AGAIN}")
            rows.append(row)
    if not rows:
        raise UserError(f"{path}: holds no step; {_AGAIN}")
    return rows


def load(folder: Path) -> Fit:
    """The fit in ``folder``. Raises UserError if it is missing or cannot be read."""
    record = read_record(folder)
    with reading(f"{folder / RECORD}: not a fit that this version can read", _AGAIN):
        source = Source(**record["source"]) if record["source"] else None
        names = tuple(record["names"])
        tensors = load_file(folder / TENSORS)
        if wrong := [name for name, values in tensors.items() if not np.isfinite(values).all()]:
            raise ValueError(f"{wrong[0]} in {TENSORS} is not finite")
        types = find_method(record["method"]).restore(names, record["settings"], tensors)
        return Fit(record["method"], types, source, record["dataset"], record["seed"], record["words"])
