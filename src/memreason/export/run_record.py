"""What a checkpoint's folder records of its run, as far as a model card tells it. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from memreason.config.run import recorded_options
from memreason.evaluation.files import EVALUATION, METRICS, TRACES, read_traces
from memreason.evaluation.results import EvaluationResult, RunResult, ValidationResult, read_result
from memreason.evaluation.training_account import TrainingAccount
from memreason.models.manifest import Manifest, read_manifest
from memreason.records import Verdict
from memreason.tasks.base import Task
from memreason.tasks.registry import ALIASES, task_of


@dataclass(frozen=True)
class RunRecord:
    """A checkpoint's manifest, and the rest of what its folder holds; what is not there is None or empty.

    ``options`` are those of the frozen config. ``right`` and ``wrong`` are traces of the evaluation: one with a right
    answer, and steps that are true where a judge read them, and one with a wrong answer.
    """

    manifest: Manifest
    options: Mapping[str, Any]
    before: EvaluationResult | None = None
    after: EvaluationResult | None = None
    validation: ValidationResult | None = None
    training: TrainingAccount | None = None
    right: Verdict | None = None
    wrong: Verdict | None = None

    @property
    def dataset(self) -> str:
        """Name of the dataset that it was trained on; empty where the frozen config is missing."""
        name = str(self.options.get("dataset", ""))
        return ALIASES.get(name, name)

    @property
    def task(self) -> Task | None:
        """The description of the dataset."""
        return task_of(self.dataset)

    @property
    def from_hub(self) -> bool:
        """Whether the data came from the dataset's own place on the hub."""
        return bool(self.task and self.task.hub_id and not self.options.get("data_path"))


def read_run(checkpoint: Path) -> RunRecord:
    """Read the record in ``checkpoint``. Raises UserError where a file is damaged, or there is no manifest."""
    manifest = read_manifest(checkpoint)
    options = recorded_options(checkpoint)
    right, wrong = _examples(checkpoint / EVALUATION / TRACES)
    if (checkpoint / METRICS).is_file():
        run = read_result(RunResult, checkpoint / METRICS)
        return RunRecord(manifest, options, run.before, run.after, run.validation, run.training, right, wrong)
    after = checkpoint / EVALUATION / METRICS
    evaluation = read_result(EvaluationResult, after) if after.is_file() else None
    return RunRecord(manifest, options, after=evaluation, right=right, wrong=wrong)


def _examples(path: Path) -> tuple[Verdict | None, Verdict | None]:
    """(a right trace, a wrong trace)."""
    right: Verdict | None = None
    wrong: Verdict | None = None
    for verdict in read_traces(path) if path.is_file() else ():
        if verdict.outcome == "correct" and verdict.trace.steps:
            if right is None or (not _all_true(right) and _all_true(verdict)):
                right = verdict
        elif verdict.outcome == "incorrect" and wrong is None:
            wrong = verdict
        if wrong and right and _all_true(right):
            break
    return right, wrong


def _all_true(verdict: Verdict) -> bool:
    """Whether the trace is well formed, and no step of it is false or was not read, where there is a judge."""
    return verdict.trace.well_formed and all(verdict.step_truth or ())


def without_folders(value: Any) -> Any:
    """``value`` (as JSON) with the name alone in the place of every absolute path, which means nothing elsewhere."""
    if isinstance(value, Mapping):
        return {key: without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(inner) for inner in value]
    if isinstance(value, str):
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(value).is_absolute() or value.startswith("~"):
                return kind(value).name
    return value


def base_name(manifest: Manifest) -> str:
    """The base model's name on the hub; else the name that the checkpoint gives, a folder's without its place."""
    return manifest.hub_id or str(without_folders(manifest.base_model))
