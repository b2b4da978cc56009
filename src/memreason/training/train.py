"""Solutions → a trained checkpoint: the whole run, from the dataset to the figures after training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import set_seed
from transformers.utils import logging as transformers_logging

from memreason.config.ablations import CONSTANT_LEN, VariantConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.run import write_config
from memreason.evaluation.evaluate import EVALUATION, evaluate_splits
from memreason.evaluation.judge import read_traces
from memreason.generation.backends import check_backend
from memreason.generation.few_shot import Demonstrations, draw_shots, few_shot_text
from memreason.generation.options import GenerationOptions
from memreason.models.adapters import notes
from memreason.models.dtypes import dtype_name, training_dtype
from memreason.models.unit import ModelUnit, build, load_base
from memreason.records import Verdict
from memreason.runtime import distributed
from memreason.runtime.allocator import keep_freed_memory
from memreason.runtime.files import read_json, write_json
from memreason.runtime.locks import locked_folder
from memreason.runtime.reading import read_object, reading
from memreason.runtime.terminal import show
from memreason.step_types.infer import check_same_types, with_inferred_types
from memreason.tasks.base import TaskData
from memreason.tasks.load import load_data
from memreason.training import run_folder
from memreason.training.checkpoints import clean_up, newest_whole_checkpoint
from memreason.training.checks import check_as_many, check_labels, check_options, check_sharding, check_tokenizer
from memreason.training.config import TrainingConfig, loading_device
from memreason.training.dataset import TOKENISED, Examples
from memreason.training.encoding import encode_solutions
from memreason.training.packing import PackedExamples, pack
from memreason.training.time_estimate import BEFORE, Outlook, foretell
from memreason.training.trainer import GenerationTrainer

EPOCHS = "epochs"
_OF_ALL_STEPS = ("memory_true", "reason_valid", "errors_by_cause")
"""Of the metrics of an evaluation, what is given over all its splits together."""


def train(
    model_config: ModelConfig,
    data_config: DataConfig,
    args: TrainingConfig,
    variants: VariantConfig | None = None,
    console: Console | None = None,
) -> tuple[dict[str, Any], Sequence[Verdict]]:
    """Run `memreason train`; returns what it wrote to `metrics.json`, and the test verdicts.

    The run folder (``args.output_dir``) ends with the best epoch's checkpoint, the frozen config,
    `trainer_state.json`, per-epoch traces, the evaluation on the test splits, and `metrics.json`:
    {"before"?: {split: metrics}, "after": {split: metrics, and rates over all steps where a judge read
    them}, "validation": metrics of the weights kept, "training": what was trained on}.
    Raises UserError for every kind of bad input.
    """
    console, variants = console or Console(stderr=True), variants or VariantConfig()
    console.quiet = not distributed.is_main()
    run = Path(str(args.output_dir))
    with locked_folder(run, f"--output_dir {run}") if distributed.is_main() else nullcontext():
        return _train(model_config, data_config, args, variants, console, run)


def _train(
    model_config: ModelConfig,
    data_config: DataConfig,
    args: TrainingConfig,
    variants: VariantConfig,
    console: Console,
    run: Path,
) -> tuple[dict[str, Any], Sequence[Verdict]]:
    keep_freed_memory()
    transformers_logging.set_verbosity_warning()
    transformers_logging.disable_progress_bar()
    options, progress = _generation_options(data_config, args)
    config = run_folder.frozen_config(model_config, data_config, args, variants)
    if not distributed.is_main():
        transformers_logging.set_verbosity_error()  # only now: defaults in the config depend on it
    resuming = run_folder.check_run(run, config, args.resume, args.overwrite_output_dir)
    if resuming and (run / run_folder.FINISHED).exists():
        show(console, f"the run in {run} is finished already")
        return _kept(run / run_folder.FINISHED), read_traces(run / EVALUATION / "traces.jsonl")
    if args.resume and not resuming:
        show(console, f"there is no run in {run} to resume; starting one")
    variants.check(model_config, data_config)
    check_sharding(model_config, args, data_config.generation_backend)
    model_config, task = _typed_task(model_config, data_config, args, variants, console)
    tokenizer = check_tokenizer(model_config, variants, task)
    model_config = _with_dtype(model_config, data_config, args, run if resuming else None)
    config["dtype"] = model_config.dtype
    outlook = foretell(model_config, data_config, args, variants, task, tokenizer, console)
    result: dict[str, Any] = {}
    demonstrations = None
    if variants.use_demonstrations:
        demonstrations = Demonstrations(task, data_config.k_shot, variants.demo_selection, data_config.split_seed)
    elif data_config.k_shot:
        result[BEFORE] = _before(model_config, data_config, args, task, run / BEFORE, resuming, console, outlook)
    unit = build(model_config, data_config.model_max_length, args.seed, variants, loading_device(args))
    examples, result["training"] = _examples(unit, task, data_config, variants, demonstrations, console, run, args)
    task = replace(task, splits={name: found for name, found in task.splits.items() if name != "train"})  # on disk now
    check_backend(data_config.generation_backend, unit.manifest, data_config.use_calculator)
    _describe(unit, console)

    def evaluate_on(splits: list[str], folder: Path) -> tuple[dict[str, Any], Sequence[Verdict]]:
        return evaluate_splits(unit, task, splits, folder, replace(options, demonstrations=demonstrations), progress)

    def evaluate_epoch(epoch: float) -> dict[str, float]:
        found, _ = evaluate_on(["validation"], run / EPOCHS / f"epoch-{epoch:g}")
        return {"eval_acc": found["accuracy"], "eval_well_formed": found["well_formed"]}

    set_seed(args.seed)
    trainer = GenerationTrainer(
        unit, args, examples, evaluate_epoch, lambda folder: write_config(folder, config), outlook
    )
    checkpoint = _begin(run, config, resuming, unit, console)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    found, verdicts = evaluate_on(task.test_splits, run / EVALUATION)
    result["after"] = _by_split(found) | {key: found[key] for key in _OF_ALL_STEPS if key in found}
    trainer.save_model()
    if distributed.is_main():
        result["validation"] = _final_validation(trainer, run)
        _finish(trainer, run, result, args.keep_checkpoints)
    return result, verdicts


def _begin(run: Path, config: dict[str, Any], resuming: bool, unit: ModelUnit, console: Console) -> Path | None:
    """Freeze the config of a new run, or find the checkpoint that a stopped one goes on from."""
    if not resuming and distributed.is_main():
        run_folder.begin_run(run, config)  # only now: bad input of any kind leaves no run behind
    newest = None
    if resuming and distributed.is_main():
        newest = newest_whole_checkpoint(run, lambda message: show(console, message))
    checkpoint = distributed.gather(newest)[0]
    if resuming:
        run_folder.check_same_base(run, checkpoint, config[run_folder.BASE], unit.manifest.base_fingerprint)
    if checkpoint:
        check_as_many(checkpoint)
        check_same_types(checkpoint, unit.manifest)
        show(console, f"resuming from {checkpoint}")
    return checkpoint


def _kept(path: Path) -> dict[str, Any]:
    """Figures that the run wrote before it was stopped."""
    with reading(f"{path} is damaged", "delete it, and the same command makes it anew"):
        return read_object(path)


def _finish(trainer: GenerationTrainer, run: Path, result: dict[str, Any], keep_checkpoints: bool) -> None:
    aside = run / ".trainer_state.json"
    trainer.state.save_to_json(str(aside))
    aside.replace(run / "trainer_state.json")
    write_json(run / run_folder.FINISHED, result)
    clean_up(run, keep_checkpoints)


def _typed_task(
    model_config: ModelConfig, data_config: DataConfig, args: TrainingConfig, variants: VariantConfig, console: Console
) -> tuple[ModelConfig, TaskData]:
    """The dataset, with types on its training steps, and the model's options, which know those types."""
    task = load_data(data_config)
    check_options(task, model_config, data_config, args)
    for note in task.notes:
        show(console, f"{task.name}: {note}")
    if not (model_config.add_soft_prompts or variants.add_hard_prompts):
        return model_config, task
    check_labels(task, model_config)
    progress = not args.disable_tqdm and distributed.is_main()
    return with_inferred_types(model_config, data_config, task, args.seed, console, progress, args.device)


def _with_dtype(model: ModelConfig, data: DataConfig, args: TrainingConfig, begun: Path | None) -> ModelConfig:
    """The model's options with the data type in the place of `auto`: the one that the run in ``begun`` is in, so that
    it never depends on a second measurement, or else the best one here."""
    known = run_folder.begun_dtype(begun) if begun else "auto"
    if model.dtype == "auto" and known == "auto":
        # Few texts are nearly as long as they may be.
        tokens = 1 if args.activation_checkpointing else args.per_device_train_batch_size * data.model_max_length // 4
        known = dtype_name(training_dtype(model, loading_device(args), tokens))
    model = copy.copy(model)  # which still knows inferred types
    model.dtype = known if model.dtype == "auto" else model.dtype
    return model


def _examples(
    unit: ModelUnit,
    task: TaskData,
    data_config: DataConfig,
    variants: VariantConfig,
    demonstrations: Demonstrations | None,
    console: Console,
    run: Path,
    args: TrainingConfig,
) -> tuple[Examples | PackedExamples, dict[str, Any]]:
    """What is trained on, and the account of it for `metrics.json`."""
    longest, progress = data_config.model_max_length, None if args.disable_tqdm else "  tokenising"
    solutions = task.splits["train"]
    examples: Examples | PackedExamples
    examples, report = encode_solutions(
        solutions, unit.layout, unit.tokenizer, longest, demonstrations, run / TOKENISED, progress
    )
    for line in report.lines(longest):
        show(console, line)
    account = {
        "examples": report.examples,
        "tokens": report.tokens,
        "too_long": list(report.too_long),
        "without_steps": list(report.without_steps),
    }
    distributed.check_same("training data or base model", [report.tokens, unit.manifest.base_fingerprint])
    if variants.mode == CONSTANT_LEN:
        examples = pack(examples, longest)
        full = report.tokens / (len(examples) * longest)
        show(console, f"packed into {len(examples)} rows of {longest} tokens, {full:.0%} full")
        account["rows"] = len(examples)
    return examples, account


def _before(
    model_config: ModelConfig,
    data_config: DataConfig,
    args: TrainingConfig,
    task: TaskData,
    folder: Path,
    resuming: bool,
    console: Console,
    outlook: Outlook | None,
) -> dict[str, Any]:
    """Metrics by split of the base model, few-shot, on the same questions; kept for a resumed run."""
    if resuming and (folder / "metrics.json").exists():
        found = _kept(folder / "metrics.json")
    else:
        show(console, f"before training: the base model with {data_config.k_shot} solved examples in the prompt")
        base = load_base(
            model_config.model_name_or_path, model_config.dtype, data_config.model_max_length, device=args.device
        )
        shots = few_shot_text(base, draw_shots(task, data_config.k_shot, data_config.split_seed))
        options, progress = _generation_options(data_config, args)
        found, _ = evaluate_splits(base, task, task.test_splits, folder, replace(options, shots=shots), progress)
    if outlook:
        outlook.reached(BEFORE)
    return _by_split(found)


def _generation_options(data: DataConfig, args: TrainingConfig) -> tuple[GenerationOptions, bool]:
    """How test questions are answered, and whether with a progress bar."""
    options = GenerationOptions(
        args.per_device_eval_batch_size, use_calculator=data.use_calculator, backend=data.generation_backend
    )
    return options, not args.disable_tqdm and distributed.is_main()


def _by_split(found: dict[str, Any]) -> dict[str, Any]:
    """Split → metrics, of what `evaluate_splits` found."""
    return found.get("splits") or {found["split"]: found}


def _final_validation(trainer: GenerationTrainer, run: Path) -> dict[str, Any] | None:
    """Validation metrics of the weights that the run ends with; None where they were not evaluated."""
    for entry in trainer.state.log_history:
        if "eval_acc" in entry and entry["step"] == trainer.final_step:
            epoch = entry["epoch"]
            return {"epoch": epoch, **read_json(run / EPOCHS / f"epoch-{epoch:g}" / "metrics.json")}
    return None


def _describe(unit: ModelUnit, console: Console) -> None:
    parameters = list(unit.model.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    show(
        console,
        f"{unit.manifest.base_model} in {unit.manifest.dtype} on {unit.device}, mode "
        f"{unit.manifest.parameter_efficient_mode}: {trained:,} of {sum(p.numel() for p in parameters):,} weights "
        f"are trained, {len(unit.manifest.token_ids)} planning tokens added",
    )
    for note in notes(unit.model):
        show(console, note)
