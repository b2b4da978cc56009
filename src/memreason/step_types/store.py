"""Fitted step types: by method, and in a folder as JSON and safetensors.

step_types.json          what was fitted to what, and the types' names, words and shares
step_types.safetensors   centres, weights
steps.jsonl              every step it was fitted to, with its type and its distance to the type's centre
steps.png, losses.png    pictures
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import load_file

from memreason.config import EMBEDDING_METHODS, INFERRED
from memreason.errors import UserError
from memreason.records import read_json, write_json
from memreason.step_types.corpus import Corpus
from memreason.step_types.embeddings import Source
from memreason.step_types.tensors import write_tensors

RECORD, TENSORS, STEPS = "step_types.json", "step_types.safetensors", "steps.jsonl"
FORMAT = 1


class Types(Protocol):
    """What every method gives: the types' names, and which type each step of a corpus has."""

    @property
    def names(self) -> tuple[str, ...]:
        """The types, in the order of their numbers."""

    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) the number of each step's type."""

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What it takes to make it again, as JSON and as tensors."""


@dataclass(frozen=True)
class Fit:
    """Fitted types with what they were fitted by and to; ``source`` is None where no model reads the steps.

    ``words`` are the words that tell each type's steps from the others.
    """

    method: str
    types: Types
    source: Source | None
    dataset: str
    seed: int
    words: dict[str, list[str]]

    @property
    def record(self) -> dict[str, Any]:
        """A small record for a checkpoint: method, types, and a digest of all that decides a step's type."""
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


def fit_types(
    method: str, corpus: Corpus, num_types: int, seed: int, epochs: int | None = None, progress: bool = True
) -> Types:
    """Fit one of `config.INFERRED` to all steps of ``corpus``.

    Raises UserError where there are fewer steps than types.
    """
    if not len(corpus.texts):
        raise UserError("there are no steps to infer types of; the dataset has no solutions with steps")
    if method in EMBEDDING_METHODS and len(corpus.texts) < num_types:
        raise UserError(f"{len(corpus.texts)} steps cannot be sorted into {num_types} types; give more data")
    if method == "+-*/":
        from memreason.step_types.arithmetic import Arithmetic

        return Arithmetic()
    if method == "tf-idf":
        from memreason.step_types import tfidf

        return tfidf.fit(corpus, num_types)
    if method in ("k-means", "balanced-k-means"):
        from memreason.step_types import kmeans

        return kmeans.fit(corpus, num_types, seed, balanced=method == "balanced-k-means")
    if method.startswith("vae"):
        from memreason.step_types import sqvae

        variant = method.removeprefix("vae").removeprefix("-")
        return sqvae.fit(corpus, num_types, seed, variant, epochs or sqvae.EPOCHS, progress)
    raise UserError(f"--selection_method {method}: must be one of {', '.join(INFERRED)}")


def _from_state(method: str, names: tuple[str, ...], settings: dict[str, Any], tensors: dict[str, np.ndarray]) -> Types:
    if method == "+-*/":
        from memreason.step_types.arithmetic import Arithmetic

        return Arithmetic.from_state(names, settings, tensors)
    if method == "tf-idf":
        from memreason.step_types.tfidf import Words

        return Words.from_state(names, settings, tensors)
    if method in ("k-means", "balanced-k-means"):
        from memreason.step_types.kmeans import Centres

        return Centres.from_state(names, settings, tensors)
    from memreason.step_types.sqvae import SoftQuantizer

    return SoftQuantizer.from_state(names, settings, tensors)


def save(fit: Fit, folder: Path) -> None:
    """Write the fit into ``folder``, its record last."""
    settings, tensors = fit.types.state()
    write_tensors(folder / TENSORS, tensors)
    write_json(folder / RECORD, {"format": FORMAT, **fit.record, "words": fit.words, "settings": settings})


def read_record(folder: Path) -> dict[str, Any]:
    """What `step_types.json` in ``folder`` says. Raises UserError where there is none that can be read."""
    if not (folder / RECORD).is_file():
        raise UserError(f"{folder}: no {RECORD} in it; give a folder that `memreason step-types fit` wrote")
    try:
        record = read_json(folder / RECORD)
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']}")
        return record
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder / RECORD}: not a record that this version can read ({error}); fit it again"
        ) from error


def load(folder: Path) -> Fit:
    """The fit in ``folder``. Raises UserError where there is none that can be read."""
    record = read_record(folder)
    try:
        source = Source(**record["source"]) if record["source"] else None
        names = tuple(record["names"])
        types = _from_state(record["method"], names, record["settings"], load_file(folder / TENSORS))
        return Fit(record["method"], types, source, record["dataset"], record["seed"], record["words"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"{folder / RECORD}: not a fit that this version can read ({error}); fit it again") from error
