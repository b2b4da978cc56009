"""Solutions → a trained checkpoint: the whole run, from the dataset to the figures after training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import set_seed
from transformers.utils import logging as transformers_logging

from memreason import run_folder
from memreason.batches import encode_solutions
from memreason.config import DataConfig, ModelConfig
from memreason.evaluate import EVALUATION, draw_shots, evaluate_splits, load_data
from memreason.generate import few_shot_text
from memreason.model import ModelUnit, build, load_base
from memreason.records import Verdict, read_json, write_json
from memreason.tasks import TaskData
from memreason.trainer import GenerationTrainer, drop_resume_files, newest_complete_checkpoint
from memreason.training_config import TrainingConfig
from memreason.verdicts import read_traces

BEFORE, EPOCHS = "before", "epochs"


def train(
    model_config: ModelConfig, data_config: DataConfig, args: TrainingConfig, console: Console | None = None
) -> tuple[dict[str, Any], list[Verdict]]:
    """Run `memreason train`; returns what it wrote to `metrics.json`, and the test verdicts.

    The run folder (``args.output_dir``) ends with the best epoch's checkpoint, the frozen config,
    `trainer_state.json`, per-epoch traces, the evaluation on the test splits, and `metrics.json`:
    {"before"?: {split: metrics}, "after": {split: metrics}, "validation": metrics of the best epoch}.
    Raises UserError for every kind of bad input.
    """
    console = console or Console(stderr=True)
    transformers_logging.set_verbosity_warning()
    transformers_logging.disable_progress_bar()
    run = Path(str(args.output_dir))
    config = run_folder.frozen_config(model_config, data_config, args)
    task = load_data(data_config)
    run_folder.open_run(run, config, args.resume, args.overwrite_output_dir)
    if args.resume and (run / run_folder.FINISHED).exists():
        console.print(f"the run in {run} is finished already")
        return read_json(run / run_folder.FINISHED), read_traces(run / EVALUATION / "traces.jsonl")
    for note in task.notes:
        console.print(f"{task.name}: {note}", highlight=False)
    result: dict[str, Any] = {}
    if data_config.k_shot:
        result["before"] = _before(model_config, data_config, args, task, run, console)
    unit = build(model_config, data_config.model_max_length, args.seed)
    examples, report = encode_solutions(task.splits["train"], unit.layout, unit.tokenizer, data_config.model_max_length)
    for line in report.lines(data_config.model_max_length):
        console.print(line, highlight=False)
    result["training"] = {
        "examples": report.examples,
        "tokens": report.tokens,
        "too_long": list(report.too_long),
        "without_steps": list(report.without_steps),
    }
    _describe(unit, console)

    def evaluate_epoch(epoch: float) -> dict[str, float]:
        folder = run / EPOCHS / f"epoch-{epoch:g}"
        found, _ = evaluate_splits(unit, task, ["validation"], folder, args.per_device_eval_batch_size)
        return {"eval_acc": found["accuracy"], "eval_well_formed": found["well_formed"]}

    set_seed(args.seed)
    trainer = GenerationTrainer(
        unit, args, examples, evaluate_epoch, on_save=lambda folder: run_folder.write_config(folder, config)
    )
    checkpoint = newest_complete_checkpoint(run) if args.resume else None
    if checkpoint:
        console.print(f"resuming from {checkpoint}")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    found, verdicts = evaluate_splits(unit, task, task.test_splits, run / EVALUATION, args.per_device_eval_batch_size)
    result["after"] = found.get("splits") or {task.test_splits[0]: found}
    result["validation"] = _best_validation(trainer, run)
    trainer.save_model()
    trainer.save_state()
    write_json(run / run_folder.FINISHED, result)
    drop_resume_files(run)
    return result, verdicts


def _before(
    model_config: ModelConfig,
    data_config: DataConfig,
    args: TrainingConfig,
    task: TaskData,
    run: Path,
    console: Console,
) -> dict[str, Any]:
    """Metrics by split of the base model, few-shot, on the same questions; kept for a resumed run."""
    if (run / BEFORE / "metrics.json").exists():
        found = read_json(run / BEFORE / "metrics.json")
    else:
        console.print(f"before training: the base model with {data_config.k_shot} solved examples in the prompt")
        base = load_base(model_config.model_name_or_path, model_config.dtype, data_config.model_max_length)
        shots = few_shot_text(base, draw_shots(task, data_config.k_shot, data_config.split_seed))
        found, _ = evaluate_splits(base, task, task.test_splits, run / BEFORE, args.per_device_eval_batch_size, shots)
    return found.get("splits") or {task.test_splits[0]: found}


def _best_validation(trainer: GenerationTrainer, run: Path) -> dict[str, Any] | None:
    """Metrics of the epoch whose weights the run ends with; None where no epoch was evaluated."""
    evaluated = [entry for entry in trainer.state.log_history if "eval_acc" in entry]
    if not evaluated:
        return None
    best = [entry for entry in evaluated if entry["step"] == trainer.state.best_global_step] or evaluated[-1:]
    epoch = best[0]["epoch"]
    return {"epoch": epoch, **read_json(run / EPOCHS / f"epoch-{epoch:g}" / "metrics.json")}


def _describe(unit: ModelUnit, console: Console) -> None:
    parameters = list(unit.model.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    console.print(
        f"{unit.manifest.base_model} in {unit.manifest.dtype} on {unit.device}, mode "
        f"{unit.manifest.parameter_efficient_mode}: {trained:,} of {sum(p.numel() for p in parameters):,} weights "
        f"are trained, {len(unit.manifest.token_ids)} planning tokens added",
        highlight=False,
    )
