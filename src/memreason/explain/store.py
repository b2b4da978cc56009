"""Results that cost time, kept in files, so that a second call or one after a kill does not pay for them again."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from memreason.config.run import CONFIG
from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION, TRACES
from memreason.explain.recorded import STATE
from memreason.models.manifest import MANIFEST
from memreason.runtime.files import read_json, write_json
from memreason.tasks.base import TaskData

_OF_THE_RUN = (CONFIG, MANIFEST, STATE, f"{EVALUATION}/{TRACES}")
"""Files that differ between any two trainings. The weights are not read: they can have many gigabytes."""

_OUTDATED_BY = ("program", "run", "data")
"""What results depend on that does not come back; all else are options, with which a later call may ask again."""


class Store:
    """A folder of results. A result is used again where everything that it depends on is the same."""

    def __init__(self, folder: Path, about: Mapping[str, Any]):
        """``about``: what all results depend on besides this program, as JSON."""
        self.folder = folder
        self._about = {"program": digest_of_program(), **about}

    def keep(self, name: str, options: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """The result called ``name`` with these ``options``: from its file, else computed and written, as JSON."""
        key = {**self._about, **options}
        path = self.folder / f"{name}-{digest_of(key)}.json"
        try:
            kept = read_json(path)
            if kept["digest"] == digest_of(kept["result"]):
                return kept["result"]
        except (UserError, KeyError):
            pass
        result = json.loads(json.dumps(compute()))  # the file is not there, or damaged
        write_json(path, {"key": key, "digest": digest_of(result), "result": result})
        return result

    def remove_outdated(self) -> None:
        """Remove the results of another run, dataset or version of this program, which can never be used again.

        Of other files, nothing is removed, also not of those whose name is not the one that `keep` gave them.
        """
        for path in sorted(self.folder.glob("*-*.json")):
            try:
                key = read_json(path)["key"]
                is_own = path.name.rpartition("-")[2] == f"{digest_of(key)}.json"
                outdated = [name for name in _OUTDATED_BY if key[name] != self._about[name]]
            except (UserError, LookupError, TypeError):
                continue
            if is_own and outdated:
                with suppress(OSError):  # the folder may be read-only, or another process was faster
                    path.unlink()


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


def digest_of_data(task: TaskData) -> str:
    """A digest of all labelled solutions: an edited trace can have a memory of any of them, and so can a prompt."""
    digest = hashlib.sha256()
    for split, solutions in task.splits.items():
        digest.update(split.encode())
        for solution in solutions:
            digest.update(ascii(solution).encode())
    return digest.hexdigest()


@functools.cache
def digest_of_program() -> str:
    """A digest of the source of this package: another version can give other results for the same options."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
