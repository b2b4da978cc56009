"""Loading published datasets from a file, a folder or the hub; rows may be in any form in which they were published."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from memreason.answers.mathematics.worker import check_installed
from memreason.errors import UserError
from memreason.records import AnswerKind
from memreason.runtime.disk_list import DiskList
from memreason.runtime.files import listed
from memreason.runtime.reading import reading
from memreason.tasks import agent_json, hub
from memreason.tasks.assemble import Notes, Record, assemble
from memreason.tasks.base import TaskData


class Published(NamedTuple):
    """The properties of one published dataset; `load` loads it.

    ``read_released(place, split, row)`` reads a row in the form in which the dataset was released, and returns None
    if the row is not in that form; ``form`` shows the form to users. ``hub_id`` and ``hub_configs`` are its name and
    its configs on the hub. ``stems`` are parts of the names of its released files that lack the dataset's name.
    ``split_options`` separates the options from the text of a question in the agent-labelled form.
    """

    name: str
    kind: AnswerKind
    hub_id: str
    form: str
    read_released: Callable[[str, str, dict[str, Any]], Record | None]
    hub_configs: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()
    split_options: Callable[[str], tuple[str, tuple[str, ...]]] = lambda text: (text, ())

    def load(self, data_path: str | None, *, seed: int = 0, num_validation: int = 100) -> TaskData:
        """Load the dataset from ``data_path``, or from the hub where that is None.

        ``data_path`` is a file (.json, .jsonl or .csv, also compressed (.gz), or .parquet); a folder of such files
        (also below folders named train and test) or with the hub's layout; or the id of a dataset on the hub
        (owner/name, or hf://owner/name).
        Raises UserError where there is no such data, for a row in an unknown form, and where answers are mathematics
        and math-verify is not installed.
        """
        if self.kind == "math":
            check_installed()
        notes = Notes()
        records: DiskList[Record] = DiskList()
        for place, split, row in _rows(self, data_path):
            with reading(place, "correct the row or leave it out"):
                records.append(_record(self, place, split, row))
        source = data_path or self.hub_id
        return assemble(self.name, self.kind, records, notes, source=source, seed=seed, num_validation=num_validation)


def _record(source: Published, place: str, split: str, row: dict[str, Any]) -> Record:
    if "cot_steps" in row:
        return agent_json.read_record(place, split, row, source.split_options)
    try:
        record = source.read_released(place, split, row)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        fault = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"nearly the released form of {source.name}, but not quite ({fault})") from error
    if record is None:
        raise UserError(
            f"{place}: a row with the fields {listed(row) or '(none)'} is no question of {source.name}; its rows are "
            f"{source.form} as released, or {agent_json.FORM} labelled by agents"
        )
    return record


def _rows(source: Published, data_path: str | None) -> Iterator[agent_json.Row]:
    if data_path is None:
        return hub.read_rows(source.hub_id, source.hub_configs)
    path = Path(data_path).expanduser()
    if path.is_file() or (path.is_dir() and not hub.is_hub_layout(path)):
        return agent_json.read_rows(path, source.name, source.stems)
    if path.is_dir():  # a copy of the hub's repository has a folder for each config
        folders = [path / config for config in source.hub_configs if (path / config).is_dir()] or [path]
        return chain.from_iterable(hub.read_rows(str(folder)) for folder in folders)
    hub_id = data_path.removeprefix("hf://")
    # A misspelled data/agent or mine.csv is no hub id.
    looks_local = (path.parent != Path() and path.parent.is_dir()) or agent_json.is_data(path)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", hub_id) and not looks_local:
        return hub.read_rows(hub_id, source.hub_configs if hub_id == source.hub_id else ())
    raise UserError(
        f"--data_path {data_path}: no such file or folder; give one, or a dataset on the hub as hf://owner/name"
    )
