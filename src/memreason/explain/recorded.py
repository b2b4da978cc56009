"""What a finished run has recorded: config, metrics, traces, epochs. Loads no model; needs no torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memreason.config.run import CONFIG, RunConfig, read_config
from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION, METRICS, TRACES, read_traces
from memreason.evaluation.results import FORMAT, EvaluationResult, Metrics, RunResult, read_result
from memreason.models.manifest import MANIFEST, Manifest, read_manifest
from memreason.records import Verdict
from memreason.runtime.files import read_json
from memreason.runtime.reading import reading
from memreason.tasks.registry import ALIASES

BEFORE, EPOCHS, STATE = "before", "epochs", "trainer_state.json"


@dataclass(frozen=True)
class Epoch:
    """The evaluation on the validation split at the end of an epoch. ``loss`` is the mean training loss in it."""

    number: float
    metrics: Metrics
    loss: float | None


@dataclass(frozen=True)
class Recorded:
    """A finished run. ``traces`` are those of its test splits, in the order of the file; ``before`` has those of the
    base model, by the id of their question. ``notes`` say what a reader must know of the files."""

    folder: Path
    dataset: str
    """Our name of the dataset that the run was trained on."""
    config: RunConfig
    manifest: Manifest
    before_metrics: EvaluationResult | None
    after_metrics: EvaluationResult
    traces: Sequence[Verdict]
    before: dict[str, Verdict]
    epochs: tuple[Epoch, ...]
    notes: tuple[str, ...]


def read_recorded(folder: Path) -> Recorded:
    """Read the run in ``folder``. Raises UserError where it is no run, not finished, or where its traces are not those
    that its metrics count."""
    _check_folder(folder)
    config, manifest = read_config(folder), read_manifest(folder)
    result = read_result(RunResult, folder / METRICS)
    notes = _on_format(read_json(folder / METRICS).get("format", 1))
    path = folder / EVALUATION / TRACES
    if not path.is_file():
        raise UserError(f"{path}: no such file; write it with: memreason evaluate {folder}")
    traces = read_traces(path)
    dataset = ALIASES.get(config.data.dataset, config.data.dataset)
    if others := sorted({verdict.trace.question.dataset for verdict in traces} - {dataset}):
        raise UserError(
            f"{path}: traces of {', '.join(others) or 'no dataset'}, and the run was trained on {dataset}; write its "
            f"own with: memreason evaluate {folder}"
        )
    after, note = _metrics_of(folder, result, traces)
    earlier = folder / BEFORE / TRACES
    before = {v.trace.question.id: v for v in read_traces(earlier)} if result.before and earlier.is_file() else {}
    return Recorded(
        folder,
        dataset,
        config,
        manifest,
        result.before,
        after,
        traces,
        before,
        tuple(_epochs(folder)),
        (*notes, *note),
    )


def _check_folder(folder: Path) -> None:
    """Raise UserError where ``folder`` is not the folder of a finished run; the advice depends on what it is."""
    if not folder.exists():
        raise UserError(f"{folder}: no such folder; give the folder of a run, which `memreason train` wrote")
    held = {name for name in (CONFIG, MANIFEST, METRICS) if (folder / name).is_file()}
    if held == {CONFIG, MANIFEST, METRICS}:
        return
    if run := next((parent for parent in folder.parents if (parent / MANIFEST).is_file()), None):
        raise UserError(f"{folder} is a part of a run; give the run itself: memreason explain {run}")
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the folder of a run, which `memreason train` wrote")
    if CONFIG in held and METRICS not in held:
        raise UserError(
            f"{folder}: no {METRICS} in it, so the run is not finished; go on with it by the same `memreason train` "
            "and --resume"
        )
    if METRICS in held and (folder / TRACES).is_file():
        raise UserError(
            f"{folder} holds an evaluation, and no trained run: a base model has accuracy, memory_true, reason_valid "
            f"and causes, which are in its {METRICS}; interventions are made on trained runs only"
        )
    missing = ", ".join(name for name in (CONFIG, MANIFEST, METRICS) if name not in held)
    raise UserError(f"{folder} is no run: it has no {missing}; give the folder that `memreason train` wrote")


def _on_format(number: int) -> list[str]:
    """What to say on a metrics.json of an older form."""
    if number == FORMAT:
        return []
    pooled = "its metrics over several splits are pooled from those of each split, and " if number == 1 else ""
    return [
        f"{METRICS} is of format {number}, and the newest is {FORMAT}: {pooled}its causes of errors are counted by the "
        "definitions of that time"
    ]


def _metrics_of(folder: Path, run: RunResult, traces: Sequence[Verdict]) -> tuple[EvaluationResult, list[str]]:
    """The metrics that count exactly these traces, and what to say where they are not the run's own.

    `memreason evaluate` can write the traces anew, on another machine say; its metrics lie beside them.
    """
    counts = Counter((verdict.trace.question.split, verdict.outcome) for verdict in traces)
    if _counts(run.after) == counts:
        return run.after, []
    beside = folder / EVALUATION / METRICS
    if beside.is_file() and _counts(again := read_result(EvaluationResult, beside)) == counts:
        return again, [
            f"the run was evaluated again, with other answers: the metrics are those of {EVALUATION}/{METRICS}, which "
            f"count the traces beside it, and not those of the run's {METRICS}"
        ]
    raise UserError(
        f"{folder / EVALUATION / TRACES}: its traces are not those that {METRICS} counts; write them anew with: "
        f"memreason evaluate {folder}"
    )


def _counts(result: EvaluationResult) -> Counter[tuple[str, str]]:
    """How often each outcome occurs in each split."""
    counts = {
        (split, outcome): getattr(metrics, outcome)
        for split, metrics in result.splits.items()
        for outcome in ("correct", "incorrect", "no_answer")
    }
    return +Counter(counts)


def _epochs(folder: Path) -> Iterable[Epoch]:
    """The evaluations in `epochs/`, in their order."""
    numbers = [
        (float(found[1]), path)
        for path in (folder / EPOCHS).glob(f"epoch-*/{METRICS}")
        if (found := re.fullmatch(r"epoch-(\d+(?:\.\d+)?)", path.parent.name))
    ]
    losses = _losses(folder / STATE)
    begun = 0.0
    for number, path in sorted(numbers):
        within = [loss for epoch, loss in losses if begun < epoch <= number]
        loss = sum(within) / len(within) if within else None
        yield Epoch(number, read_result(EvaluationResult, path).overall, loss)
        begun = number


def _losses(path: Path) -> list[tuple[float, float]]:
    """(epoch, loss) of each line of the training's log; none where the file is missing."""
    if not path.is_file():
        return []
    with reading(f"{path}: not the state of a training", "take the file away, and the loss is not shown"):
        history: list[dict[str, Any]] = read_json(path)["log_history"]
        return [(float(entry["epoch"]), float(entry["loss"])) for entry in history if "loss" in entry]
