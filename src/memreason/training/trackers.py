"""Experiment trackers (`--report_to`): their run stays open for the whole training and gets a table of sample traces.

Losses and metrics are logged by transformers' own integration, which finds the run open.
"""

from __future__ import annotations

import html
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import TensorBoardCallback

from memreason.config.run import RunConfig
from memreason.errors import UserError
from memreason.evaluation.results import Metrics
from memreason.records import lettered
from memreason.runtime import distributed
from memreason.runtime.files import read_json, read_jsonl, write_json
from memreason.runtime.reading import reason
from memreason.training.context import RunContext
from memreason.training.run_folder import LOGS, TRACKER_RUNS
from memreason.training.trainer import GenerationTrainer

SAMPLES = 10
"""How many traces of an epoch are logged: those of the first validation questions, the same after every epoch."""

Row = dict[str, Any]
LogTable = Callable[[list[Row], int], None]
"""Logs a table, given its rows (column → value) and the step of training."""


@dataclass
class Opening:
    """What a tracker's run is opened with.

    ``run_id`` is the tracker's id of a run to continue, None for a new one; whoever opens a new one sets it. ``step``
    is the step from which a resumed training goes on, None in a new one.
    """

    trainer: GenerationTrainer
    folder: Path
    name: str
    config: RunConfig
    run_id: str | None
    step: int | None


def rates(metrics: Metrics, prefix: str) -> dict[str, float]:
    """The rates to log, named ``prefix``acc, ``prefix``well_formed and, where a judge read the steps,
    ``prefix``memory_true and ``prefix``reason_valid."""
    named = {
        "acc": metrics.accuracy,
        "well_formed": metrics.well_formed,
        "memory_true": metrics.memory_true,
        "reason_valid": metrics.reason_valid,
    }
    return {prefix + name: rate for name, rate in named.items() if rate is not None}


_TRUTH = {True: "true", False: "false", None: "?"}


def sample_rows(traces: Path, epoch: float) -> list[Row]:
    """The rows of the table of one epoch, from the first `SAMPLES` lines of a traces.jsonl."""
    return [
        {
            "epoch": epoch,
            "id": row["id"],
            "question": "\n".join([row["question"], *lettered(row["options"])]),
            "gold": row["gold"],
            "trace": row["generated_text"].strip(),
            "outcome": row["outcome"].replace("_", " "),
            "well_formed": row["well_formed"],
            "step_truth": ", ".join(_TRUTH[truth] for truth in row["step_truth"] or ()),
            "cause": (row["cause"] or "").replace("_", " "),
        }
        for _, row in islice(read_jsonl(traces), SAMPLES)
    ]  # fmt: skip


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown, in which planning tokens are no HTML and lines of a trace stay lines."""

    def cell(value: object) -> str:
        return html.escape(str(value)).replace("|", "&#124;").replace("\n", "<br>")

    lines = [list(rows[0]), ["---"] * len(rows[0]), *([cell(value) for value in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@contextmanager
def _tensorboard(opening: Opening) -> Iterator[LogTable]:
    """Event files in the run's folder. Of a resumed run, what was logged after its checkpoint is hidden."""
    from torch.utils.tensorboard import SummaryWriter

    folder = str(Path(os.environ.get("TENSORBOARD_LOGGING_DIR") or opening.folder).expanduser())
    writer = SummaryWriter(folder, purge_step=None if opening.step is None else opening.step + 1)
    for callback in opening.trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback):
            callback.tb_writer, callback.logging_dir = writer, folder
    if opening.step is None:
        settings = yaml.safe_dump(opening.config.options(), sort_keys=False, allow_unicode=True)
        writer.add_text("config", "\n".join(f"    {line}" for line in settings.splitlines()))
    with writer:
        yield lambda rows, step: writer.add_text("traces", markdown(rows), step)


@contextmanager
def _mlflow(opening: Opening) -> Iterator[LogTable]:
    """A run where MLflow's own variables say, by default in a database in the working directory."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # it would cut through the training's bar
    import mlflow

    with ExitStack() as stack:
        if mlflow.active_run() is None and not os.environ.get("MLFLOW_RUN_ID"):  # else the user has chosen a run
            run = stack.enter_context(mlflow.start_run(run_id=opening.run_id, run_name=opening.name))
            if opening.run_id is None:
                # A prefix, because a parameter is never changed, and the integration has some of the same name.
                mlflow.log_params({f"memreason/{name}": value for name, value in opening.config.options().items()})
            opening.run_id = run.info.run_id
        yield lambda rows, _: mlflow.log_table(_columns(rows), "traces.json")


@contextmanager
def _wandb(opening: Opening) -> Iterator[LogTable]:
    """A run whose local files are in the run's folder."""
    import wandb

    with ExitStack() as stack:
        if wandb.run is None:  # else the user has opened one
            opening.run_id = opening.run_id or secrets.token_hex(4)
            project = os.environ.get("WANDB_PROJECT") or opening.trainer.args.project
            opening.folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(
                wandb.init(project=project, name=opening.name, dir=str(opening.folder), id=opening.run_id,
                           resume="allow", config={"memreason": opening.config.options()})
            )  # fmt: skip

        def log(rows: list[Row], step: int) -> None:
            table = wandb.Table(columns=list(rows[0]), data=[list(row.values()) for row in rows])
            wandb.log({"traces": table, "train/global_step": step})

        yield log


@contextmanager
def _trackio(opening: Opening) -> Iterator[LogTable]:
    """A run where Trackio's own variables say; the integration opens and closes it, and finds it by its name."""
    import trackio

    opening.run_id = opening.run_id or f"{opening.name}-{secrets.token_hex(4)}"
    opening.trainer.args.run_name = opening.trainer.args.run_name or opening.run_id

    def log(rows: list[Row], step: int) -> None:
        trackio.log({"traces": trackio.Table(data=rows), "train/global_step": step})

    try:
        yield log
    finally:
        if trackio.context_vars.current_run.get() is not None:
            trackio.finish()


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


TABLES: Mapping[str, Callable[[Opening], AbstractContextManager[LogTable]]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
    "wandb": _wandb,
    "trackio": _trackio,
}
"""Tracker → what opens its run and says how to log a table. Other trackers get losses and metrics only."""


class SampleTraces(TrainerCallback):
    """Logs a table of sample traces after each evaluation.

    ``traces_of`` gives the traces.jsonl of an epoch, ``tables`` what logs a table in each tracker. A table that cannot
    be logged is no reason to stop a training: ``say`` gets a message then.
    """

    def __init__(
        self, traces_of: Callable[[float], Path], tables: Mapping[str, LogTable], say: Callable[[str], None]
    ) -> None:
        self.traces_of, self.tables, self.say = traces_of, tables, say

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Log the table of the epoch that was evaluated."""
        epoch = state.epoch or 0.0
        rows = sample_rows(self.traces_of(epoch), epoch) if self.tables else []
        for name, log in self.tables.items():
            try:
                log(rows, state.global_step)
            except Exception as error:
                self.say(f"{name}: the sample traces of epoch {epoch:g} were not logged ({reason(error)})")


@contextmanager
def tracked(
    trainer: GenerationTrainer, run: RunContext, checkpoint: Path | None, traces_of: Callable[[float], Path]
) -> Iterator[None]:
    """Inside this context, the runs of the trackers in ``args.report_to`` are open.

    A resumed run, which goes on from ``checkpoint``, goes on in the same runs of the trackers too. Only the main
    process logs. Raises UserError where a tracker does not open a run.
    """
    if not distributed.is_main():
        yield
        return
    folder = run.folder / LOGS
    ids = read_json(folder / TRACKER_RUNS) if run.resuming and (folder / TRACKER_RUNS).is_file() else {}
    step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    name = run.args.run_name or run.folder.resolve().name
    tables = {}
    with ExitStack() as stack:
        for tracker in [tracker for tracker in TABLES if tracker in (run.args.report_to or ())]:
            opening = Opening(trainer, folder, name, run.config, ids.get(tracker), step if run.resuming else None)
            try:
                tables[tracker] = stack.enter_context(TABLES[tracker](opening))
            except Exception as error:
                new = f", delete {folder / TRACKER_RUNS} to log into a new run there" if tracker in ids else ""
                raise UserError(
                    f"--report_to {tracker}: no run could be opened there ({reason(error)}); see to that and go on "
                    f"with --resume{new}, or start anew with --report_to none and --overwrite_output_dir"
                ) from error
            if opening.run_id:  # written at once: the next tracker may not open
                ids[tracker] = opening.run_id
                folder.mkdir(exist_ok=True)
                write_json(folder / TRACKER_RUNS, ids)
        trainer.add_callback(SampleTraces(traces_of, tables, run.say))
        yield


def log_results(trainer: GenerationTrainer, metrics: Metrics) -> None:
    """Log the metrics on the test questions with the trackers; they are no part of the trainer's state."""
    if distributed.is_main() and trainer.args.report_to:
        trainer.callback_handler.on_log(trainer.args, trainer.state, trainer.control, rates(metrics, "test_"))
