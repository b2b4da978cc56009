"""Results that cost time, kept in files, so that a second call or one after a kill does not pay for them again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from memreason.config.run import CONFIG
from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION, TRACES
from memreason.explain.recorded import STATE
from memreason.models.manifest import MANIFEST
from memreason.runtime.files import read_json, write_json

VERSION = 2
"""To be raised with every change of what the same options give: results of older versions are not used then."""
_OF_THE_RUN = (CONFIG, MANIFEST, STATE, f"{EVALUATION}/{TRACES}")
"""Files that differ between any two trainings. The weights are not read: they can have many gigabytes."""


class Store:
    """A folder of results. A result is used again where everything that it depends on is the same."""

    def __init__(self, folder: Path, about: Mapping[str, Any]):
        """``about``: what all results depend on, as JSON."""
        self.folder = folder
        self._about = {"version": VERSION, **about}

    def keep(self, name: str, options: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """The result called ``name`` with these ``options``: from its file, else computed and written, as JSON."""
        key = {**self._about, **options}
        path = self.folder / f"{name}-{digest_of(key)}.json"
        try:
            return read_json(path)["result"]
        except (UserError, KeyError):  # not there, or damaged
            result = json.loads(json.dumps(compute()))
            write_json(path, {"key": key, "result": result})
            return result


def digest_of(value: Any) -> str:
    """A digest of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def digest_of_run(folder: Path) -> str:
    """A digest of the run in ``folder``, which changes when it is trained or evaluated anew."""
    digest = hashlib.sha256()
    for name in _OF_THE_RUN:
        if (path := folder / name).is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
