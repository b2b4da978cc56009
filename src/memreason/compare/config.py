"""Options of `memreason compare`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from memreason.compare.measures import check_measure
from memreason.config.fields import check_at_least, option
from memreason.errors import UserError


@dataclass
class CompareConfig:
    """Options of `memreason compare`."""

    _argument_group_name: ClassVar[str] = "comparing"

    sides: list[str] = field(
        default_factory=list,
        metadata={
            "help": "two sides or more: the folder of a run or an evaluation, a traces.jsonl, a folder of `memreason "
            "score`, samples_….jsonl of lm-evaluation-harness, a log of Inspect; or NAME=PATH; several runs of one "
            "side: NAME=PATH,PATH or NAME='runs/plain-*'. One run with answers from before training is compared with "
            "these"
        },
    )
    measure: list[str] = field(
        default_factory=lambda: ["accuracy"], metadata={"help": "what is compared; the list is above"}
    )
    split: str | None = option(None, "only the questions of this split (default: all, and then each split by itself)")
    against: str | None = option(None, "the side that all others are judged against (default: the first)")
    all_pairs: bool = option(False, "compare all sides with all others")
    cluster: str | None = option(
        None,
        "the field that says which questions belong together, so that the interval holds for other such clusters: "
        "`country` of atlas (a question about two: the first), or any field of the files",
    )
    by: str | None = option(
        None, "compare also by each value of this field: `family` of atlas, or any field of the files"
    )
    fields: str | None = option(
        None, "further fields for --cluster and --by: a file with a JSON object a line, by `id` of the question"
    )
    fail_if_worse: float | None = option(
        None,
        "a gate for CI: the exit code is 0 where the second side is not worse by more than this (0.02 = 2 percentage "
        "points), 1 where it is, 2 where that cannot be told",
    )
    allow_missing: bool = option(False, "leave out questions that not every run has, instead of refusing")
    average_repeats: bool = option(
        False, "count a question that a run answers several times with the average, instead of refusing"
    )
    ignore_ids: bool = option(False, "pair questions by their texts alone")
    mark: str | None = option(
        None, "logs of other programs: the metric or scorer that says what is right (default: the first)"
    )
    dataset: str | None = option(None, "score texts and logs by this dataset instead of going by their marks")
    data_path: str | None = option(None, "file, folder or hub id that holds the dataset")
    output_dir: str | None = option(
        None, "write the comparison there: comparison.json, tables (Markdown, LaTeX, CSV), forest plots (SVG), a page"
    )
    json: bool = option(False, "print everything as one JSON object, and nothing else, on stdout")

    def __post_init__(self) -> None:
        if not self.measure:
            raise UserError("--measure: name one or more")
        for name in self.measure:
            check_measure(name)
        check_at_least("fail_if_worse", self.fail_if_worse, 0)
        if self.fail_if_worse is not None and self.fail_if_worse >= 1:
            raise UserError(f"--fail_if_worse {self.fail_if_worse:g}: must be below 1 (0.02 is 2 percentage points)")
        if self.data_path and not self.dataset:
            raise UserError(f"--data_path {self.data_path}: say which dataset it is with --dataset")
        if self.fields and not Path(self.fields).expanduser().is_file():
            raise UserError(f"--fields {self.fields}: no such file")
        if self.against and self.all_pairs:
            raise UserError("--against and --all_pairs: give one of them")
