"""Published datasets: from a file, a folder, or the hub, in whichever of their forms the rows are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from memreason.answers.math_worker import check_installed
from memreason.errors import UserError
from memreason.records import AnswerKind
from memreason.runtime.disk_list import OnDisk
from memreason.runtime.files import listed
from memreason.runtime.reading import reading
from memreason.tasks import agent_json, aqua, commonsenseqa, gsm8k, hub, math, strategyqa, svamp, truthfulqa
from memreason.tasks.assemble import Notes, Record, assemble
from memreason.tasks.base import TaskData


class Source(NamedTuple):
    """What is particular to one published dataset.

    ``read_released(place, split, row)`` reads a row of the form in which it was released, or gives
    None where the row is not in that form, which ``form`` shows; ``split_options`` takes the options out
    of a question's text in the agent-labelled form; ``stems`` are in the names of its released files, where the
    dataset's is not.
    """

    kind: AnswerKind
    hub_id: str
    form: str
    read_released: Callable[[str, str, dict[str, Any]], Record | None]
    hub_configs: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()
    split_options: Callable[[str], tuple[str, tuple[str, ...]]] = lambda text: (text, ())


SOURCES = {
    "strategyqa": Source("boolean", "ChilleD/StrategyQA", strategyqa.FORM, strategyqa.read_released),
    "commonsenseqa": Source(
        "choice",
        "tau/commonsense_qa",
        commonsenseqa.FORM,
        commonsenseqa.read_released,
        stems=("randsplit", "qtokensplit"),
        split_options=commonsenseqa.split_options,
    ),
    "truthfulqa": Source(
        "choice",
        "truthfulqa/truthful_qa",
        truthfulqa.FORM,
        truthfulqa.read_released,
        ("multiple_choice",),
        ("mctask",),
        truthfulqa.split_options,
    ),
    "gsm8k": Source("number", "openai/gsm8k", gsm8k.FORM, gsm8k.read_released, ("main",)),
    "math": Source("math", "EleutherAI/hendrycks_math", math.FORM, math.read_released, math.SUBJECTS),
    "aqua": Source("choice", "deepmind/aqua_rat", aqua.FORM, aqua.read_released, ("raw",)),
    "svamp": Source("number", "ChilleD/SVAMP", svamp.FORM, svamp.read_released),
}


def load(name: str, data_path: str | None, *, seed: int = 0, num_validation: int = 100) -> TaskData:
    """Load one of `SOURCES` from ``data_path``, or from the hub where that is None.

    ``data_path``: a .json, .jsonl, .csv or .parquet file (all but the last also compressed, .gz), a folder of such
    files (also below folders named train and test) or in the hub's layout, or the id of a dataset on the hub
    (owner/name, or hf://owner/name).
    Raises UserError for a row in none of its forms, and where what compares the answers is not installed.
    """
    source = SOURCES[name]
    if source.kind == "math":
        check_installed()
    notes = Notes()
    records: OnDisk[Record] = OnDisk()
    for place, split, row in _rows(name, source, data_path):
        with reading(place, "correct the row or leave it out"):
            records.append(_record(name, source, place, split, row))
    place = data_path or source.hub_id
    return assemble(name, source.kind, records, notes, source=place, seed=seed, num_validation=num_validation)


def _record(name: str, source: Source, place: str, split: str, row: dict[str, Any]) -> Record:
    if "cot_steps" in row:
        return agent_json.read_record(place, split, row, source.split_options)
    try:
        record = source.read_released(place, split, row)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        said = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"nearly the released form of {name}, but not quite ({said})") from error
    if record is None:
        raise UserError(
            f"{place}: a row with the fields {listed(row) or '(none)'} is no question of {name}; its rows are "
            f"{source.form} as released, or {agent_json.FORM} labelled by agents"
        )
    return record


def _rows(name: str, source: Source, data_path: str | None) -> Iterator[agent_json.Row]:
    if data_path is None:
        return hub.read_rows(source.hub_id, source.hub_configs)
    path = Path(data_path).expanduser()
    if path.is_file() or (path.is_dir() and not hub.is_hub_layout(path)):
        return agent_json.read_rows(path, name, source.stems)
    if path.is_dir():  # a copy of the hub's repository has a folder a config
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
