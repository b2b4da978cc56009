"""Options of the commands that load no model: `memreason tasks` and `memreason score`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from memreason.config.model import option
from memreason.errors import UserError


@dataclass
class TasksConfig:
    """Options of `memreason tasks`."""

    _argument_group_name: ClassVar[str] = "tasks"

    dataset: str | None = option(None, "load this dataset and show its splits and an example")
    data_path: str | None = option(None, "file, folder or hub id that holds it")
    as_trained: bool = option(
        False,
        "print the text that training reads, with the options for planning tokens and ablations of `memreason train`",
    )

    def __post_init__(self) -> None:
        if self.data_path and not self.dataset:
            raise UserError(
                f"--data_path {self.data_path}: say which dataset it is: memreason tasks NAME --data_path …"
            )


@dataclass
class ScoreConfig:
    """Options of `memreason score`."""

    _argument_group_name: ClassVar[str] = "scoring"

    generations: str = option(
        "",
        'file of texts: our traces.jsonl, or a JSON array (or lines) of {"question": …, "generated_text": …}; without '
        '"question", the text begins with it',
    )
    dataset: str = option("", "the dataset that the questions are from")
    data_path: str | None = option(None, "file, folder or hub id that holds the questions")
    split: str | None = option(None, "split of the questions (default: all of them)")
    output_dir: str | None = option(None, "where metrics and verdicts go (default: beside the generations file)")
    split_seed: int = option(0, "the seed that the questions were drawn with")
    num_train: int | None = option(None, "atlas only: as it was made for the generations")
    num_validation: int | None = option(None, "atlas only: as it was made for the generations")
    num_test: int | None = option(None, "atlas only: as it was made for the generations")
    num_countries: int | None = option(None, "atlas only: as it was made for the generations")

    def __post_init__(self) -> None:
        for flag in ("generations", "dataset"):
            if not getattr(self, flag):
                raise UserError(f"--{flag} is missing")
