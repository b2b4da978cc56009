"""The whole run of `memreason train`, from the dataset to the metrics after training."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from transformers import set_seed
from transformers.utils import logging as transformers_logging

from memreason.config.ablations import CONSTANT_LEN, AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.run import write_config
from memreason.evaluation.evaluate import evaluate_splits
from memreason.evaluation.files import EVALUATION, METRICS, TRACES, read_traces, write_result
from memreason.evaluation.results import EvaluationResult, RunResult, ValidationResult, read_result
from memreason.evaluation.training_account import TrainingAccount
from memreason.generation.backends import check_backend
from memreason.generation.few_shot import Demonstrations, demonstrations_of, draw_shots, few_shot_text
from memreason.models.adapters import notes
from memreason.models.build import build
from memreason.models.dtypes import dtype_name, training_dtype
from memreason.models.load import load_base
from memreason.models.unit import ModelUnit
from memreason.records import Verdict
from memreason.runtime import distributed
from memreason.runtime.allocator import keep_freed_memory
from memreason.runtime.locks import locked_folder
from memreason.step_types.infer import check_same_types, with_inferred_types
from memreason.tasks.base import TaskData
from memreason.tasks.load import load_data
from memreason.training import run_folder
from memreason.training.checkpoints import clean_up, newest_whole_checkpoint
from memreason.training.checks import check_as_many, check_labels, check_options, check_sharding, check_tokenizer
from memreason.training.config import TrainingConfig, loading_device, recomputes
from memreason.training.context import RunContext
from memreason.training.dataset import TOKENISED, Examples
from memreason.training.encoding import encode_solutions
from memreason.training.packing import PackedExamples, pack
from memreason.training.record import Record, steps_for
from memreason.training.time_estimate import BEFORE, Outlook, foretell
from memreason.training.trackers import log_results, rates, tracked
from memreason.training.trainer import GenerationTrainer

EPOCHS = "epochs"


def train(
    model_config: ModelConfig,
    data_config: DataConfig,
    args: TrainingConfig,
    ablations: AblationConfig | None = None,
    console: Console | None = None,
) -> tuple[RunResult, Sequence[Verdict]]:
    """Run `memreason train`. Returns the result, as it is in `metrics.json`, and the verdicts on the test questions.

    In the end, the run's folder (``args.output_dir``) has the best epoch's checkpoint, the frozen config,
    `trainer_state.json`, the traces of each epoch, the evaluation on the test splits, and `metrics.json`. Raises
    UserError for every kind of bad input.
    """
    console, ablations = console or Console(stderr=True), ablations or AblationConfig()
    console.quiet = not distributed.is_main()
    folder = Path(str(args.output_dir))
    with locked_folder(folder, f"--output_dir {folder}") if distributed.is_main() else nullcontext():
        keep_freed_memory()
        transformers_logging.set_verbosity_warning()
        transformers_logging.disable_progress_bar()
        config = run_folder.frozen_config(model_config, data_config, args, ablations)
        if not distributed.is_main():
            transformers_logging.set_verbosity_error()  # not earlier: defaults in the config depend on it
        resuming = run_folder.check_run(folder, config, args.resume, args.overwrite_output_dir)
        return _train(RunContext(model_config, data_config, ablations, args, config, console, resuming))


def _train(run: RunContext) -> tuple[RunResult, Sequence[Verdict]]:
    args, finished = run.args, run.folder / run_folder.FINISHED
    if run.resuming and finished.exists():
        run.say(f"the run in {run.folder} is finished already")
        return read_result(RunResult, finished), read_traces(run.folder / EVALUATION / TRACES)
    if args.resume and not run.resuming:
        run.say(f"there is no run in {run.folder} to resume; starting one")
    run.ablations.check(run.model, run.data)
    check_sharding(run.model, args, run.data.generation_backend)
    run, task = _typed_task(run)
    tokenizer = check_tokenizer(run.model, run.layout, task)
    run = _with_dtype(run)
    outlook = foretell(run, task, tokenizer)
    demonstrations = demonstrations_of(run.ablations, run.data, task)
    before = _before(run, task, outlook) if run.data.k_shot and not demonstrations else None
    unit = build(run.model, run.data.model_max_length, args.seed, run.ablations, loading_device(args), run.inferred)
    examples, account, record = _examples(run, unit, task, demonstrations)
    # The training solutions are in the examples now.
    task = replace(task, splits={name: solutions for name, solutions in task.splits.items() if name != "train"})
    check_backend(run.data.generation_backend, unit.manifest, run.data.use_calculator)
    _describe(run, unit)

    def evaluate_on(splits: list[str], folder: Path) -> tuple[EvaluationResult, Sequence[Verdict]]:
        options = replace(run.generation, demonstrations=demonstrations)
        return evaluate_splits(unit, task, splits, folder, options, run.progress)

    def evaluate_epoch(epoch: float) -> dict[str, float]:
        return rates(evaluate_on(["validation"], _epoch(run.folder, epoch))[0].overall, "eval_")

    set_seed(args.seed)
    trainer = GenerationTrainer(
        unit, args, examples, evaluate_epoch, lambda folder: write_config(folder, run.config), outlook
    )
    checkpoint = _begin(run, unit)
    with tracked(trainer, run, checkpoint, lambda epoch: _epoch(run.folder, epoch) / TRACES):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        after, verdicts = evaluate_on(task.test_splits, run.folder / EVALUATION)
        log_results(trainer, after.overall)
    trainer.save_model()
    validation = _final_validation(trainer, run.folder) if distributed.is_main() else None  # the main one wrote it
    result = RunResult(before, after, validation, _as_trained(account, record, trainer, examples))
    if distributed.is_main():
        _finish(trainer, run.folder, result, args.keep_checkpoints)
    return result, verdicts


def _epoch(run: Path, epoch: float) -> Path:
    """The folder of the evaluation after ``epoch`` epochs."""
    return run / EPOCHS / f"epoch-{epoch:g}"


def _begin(run: RunContext, unit: ModelUnit) -> Path | None:
    """Write the config of a new run, or find the checkpoint from which a stopped run continues."""
    if not run.resuming and distributed.is_main():
        run_folder.begin_run(run.folder, run.config)  # not earlier, so that bad input leaves no run behind
    newest = None
    if run.resuming and distributed.is_main():
        newest = newest_whole_checkpoint(run.folder, run.say)
    checkpoint = distributed.gather(newest)[0]
    if run.resuming:
        base = run.config.model.model_name_or_path
        run_folder.check_same_base(run.folder, checkpoint, base, unit.manifest.base_fingerprint)
    if checkpoint:
        check_as_many(checkpoint)
        check_same_types(checkpoint, unit.manifest)
        run.say(f"resuming from {checkpoint}")
    return checkpoint


def _finish(trainer: GenerationTrainer, run: Path, result: RunResult, keep_checkpoints: bool) -> None:
    aside = run / ".trainer_state.json"
    trainer.state.save_to_json(str(aside))
    aside.replace(run / "trainer_state.json")
    write_result(run, result)
    clean_up(run, keep_checkpoints)


def _typed_task(run: RunContext) -> tuple[RunContext, TaskData]:
    """The run, with the inferred step types, and the dataset, whose training steps have these types."""
    task = load_data(run.data)
    check_options(task, run.model, run.data, run.args)
    for note in task.notes:
        run.say(f"{task.name}: {note}")
    if not (run.model.add_soft_prompts or run.ablations.add_hard_prompts):
        return run, task
    check_labels(task, run.model)
    task, inferred = with_inferred_types(
        run.model, run.data, task, run.args.seed, run.console, run.progress, run.args.device
    )
    return replace(run, inferred=inferred), task


def _with_dtype(run: RunContext) -> RunContext:
    """The run with a data type instead of `auto`: for a resumed run the one in which it was started, so that it does
    not depend on a second measurement, otherwise the fastest on this machine."""
    dtype, args = run.model.dtype, run.args
    if dtype == "auto" and run.resuming:
        dtype = run_folder.begun_dtype(run.folder)
    if dtype == "auto":
        length = run.data.model_max_length // 4  # most texts are much shorter than the limit
        tokens = 1 if recomputes(args) else args.per_device_train_batch_size * length
        dtype = dtype_name(training_dtype(run.model, loading_device(args), tokens))
    return replace(run, model=replace(run.model, dtype=dtype), config=run.config.in_dtype(dtype))


def _examples(
    run: RunContext, unit: ModelUnit, task: TaskData, demonstrations: Demonstrations | None
) -> tuple[Examples | PackedExamples, TrainingAccount, Record]:
    """The training examples, the account of them for `metrics.json`, and the record of which they are."""
    longest, progress = run.data.model_max_length, None if run.args.disable_tqdm else "  tokenising"
    examples: Examples | PackedExamples
    examples, report = encode_solutions(
        task.splits["train"], unit.layout, unit.tokenizer, longest, demonstrations, run.folder / TOKENISED, progress
    )
    for line in report.lines(longest):
        run.say(line)
    account = TrainingAccount(report.examples, report.tokens, tuple(report.too_long), tuple(report.without_steps))
    distributed.check_same("training data or base model", [report.tokens, unit.manifest.base_fingerprint])
    record = Record(examples, task.splits["train"])
    if run.ablations.mode == CONSTANT_LEN:
        examples = pack(examples, longest)
        full = report.tokens / (len(examples) * longest)
        run.say(f"packed into {len(examples)} rows of {longest} tokens, {full:.0%} full")
        account = replace(account, rows=len(examples))
    if run.args.num_train_tokens:
        per_step = examples_per_step(run.args)
        run.args.max_steps = steps_for(run.args.num_train_tokens, len(examples), report.tokens, per_step)
        run.say(f"{run.args.num_train_tokens:,} training tokens: {run.args.max_steps} optimizer steps")
    return examples, account, record


def examples_per_step(args: TrainingConfig) -> int:
    """Examples (or packed rows) in one optimizer step of all processes."""
    return args.train_batch_size * args.world_size * args.gradient_accumulation_steps


def _as_trained(
    account: TrainingAccount, record: Record, trainer: GenerationTrainer, examples: Examples | PackedExamples
) -> TrainingAccount:
    """The account, with what is known only after training."""
    steps = trainer.state.global_step
    account = replace(
        account,
        optimizer_steps=steps,
        trained_weights=sum(weight.numel() for weight in trainer.unit.model.parameters() if weight.requires_grad),
        questions=record.questions,
        solutions=record.solutions,
    )
    if trainer.order is None:
        return account
    order, tokens = record.order(trainer.order, examples, steps, examples_per_step(trainer.args))
    return replace(account, order=order, trained_tokens=tokens)


def _before(run: RunContext, task: TaskData, outlook: Outlook | None) -> EvaluationResult:
    """Metrics of the base model, few-shot, on the same questions. A resumed run reads them back."""
    folder, data = run.folder / BEFORE, run.data
    if run.resuming and (folder / METRICS).exists():
        result = read_result(EvaluationResult, folder / METRICS)
    else:
        run.say(f"before training: the base model with {data.k_shot} solved examples in the prompt")
        base = load_base(run.model.model_name_or_path, run.model.dtype, data.model_max_length, device=run.args.device)
        shots = few_shot_text(base, draw_shots(task, data.k_shot, data.split_seed))
        options = replace(run.generation, shots=shots)
        result, _ = evaluate_splits(base, task, task.test_splits, folder, options, run.progress)
    if outlook:
        outlook.reached(BEFORE)
    return result


def _final_validation(trainer: GenerationTrainer, run: Path) -> ValidationResult | None:
    """Validation metrics of the weights with which the run ends; None if they were not evaluated."""
    for entry in trainer.state.log_history:
        if "eval_acc" in entry and entry["step"] == trainer.final_step:
            epoch = entry["epoch"]
            result = read_result(EvaluationResult, _epoch(run, epoch) / METRICS)
            return ValidationResult(epoch, result.overall)
    return None


def _describe(run: RunContext, unit: ModelUnit) -> None:
    """Tell the user which model is trained, and how many of its weights."""
    parameters = list(unit.model.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    run.say(
        f"{unit.manifest.base_model} in {unit.manifest.dtype} on {unit.device}, mode "
        f"{unit.manifest.parameter_efficient_mode}: {trained:,} of {sum(p.numel() for p in parameters):,} weights "
        f"are trained, {len(unit.manifest.token_ids)} planning tokens added",
    )
    for note in notes(unit.model):
        run.say(note)
