"""Checks of data, options, tokenizer and processes before a training run does any work. All raise UserError."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from memreason.answers.calculator import check_marks
from memreason.config.checks import check_run, check_sharded, check_training_dtype
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.generation.backends import ENGINES
from memreason.models.base import resolve
from memreason.models.base_checks import check_texts
from memreason.models.token_embeddings import planning_tokenizer
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import PLAIN
from memreason.runtime import distributed
from memreason.tasks.base import TaskData
from memreason.training.config import TrainingConfig, recomputes, shards


def check_options(task: TaskData, model: ModelConfig, data: DataConfig, args: TrainingConfig) -> None:
    """Raise UserError where the data lacks a split that the run needs, or an option or device cannot be used."""
    check_training_dtype(model.parameter_efficient_mode, model.dtype)
    needed = {
        "train": "to train on",
        **({"validation": "to choose the best epoch"} if args.eval_strategy != "no" else {}),
    }
    for split, purpose in needed.items():
        if not task.splits.get(split):
            have = ", ".join(f"{name} ({len(solutions)})" for name, solutions in task.splits.items()) or "none"
            why = "".join(f". {note}" for note in task.notes)
            raise UserError(
                f"{task.name} has no {split} questions {purpose}; its splits are: {have}{_where(data)}{why}"
            )
    if not any(solution.steps for solution in task.splits["train"]):
        raise UserError(
            f"{task.name}: none of the train questions has steps to train on. Have them written: memreason label "
            f"--task {task.name}{f' --data_path {data.data_path}' if data.data_path else ''} --planner MODEL --output "
            f"{task.name}.jsonl; then train with --dataset jsonl --data_path {task.name}.jsonl"
        )
    if not any(task.splits[name] for name in task.test_splits):
        raise UserError(f"{task.name} has no test questions; add some to the data; they are used for evaluation only")
    if data.use_calculator and not any(check_marks(step.text) for s in task.splits["train"] for step in s.steps):
        raise UserError(
            f"--use_calculator: no step of {task.name} has marks such as <<48/2=24>>, so there is nothing to compute"
        )
    check_run(model.parameter_efficient_mode, recomputes(args), data.generation_backend)
    if args.n_gpu > 1:
        raise UserError(
            f"one process sees {args.n_gpu} GPUs; use them all with torchrun --nproc_per_node {args.n_gpu} "
            "-m memreason train …, or set CUDA_VISIBLE_DEVICES to one of them"
        )


def _where(data: DataConfig) -> str:
    """Where to put a file with the missing split, if the data is a folder of files."""
    if not data.data_path or not Path(data.data_path).expanduser().is_dir():
        return ""
    return f"; a train.jsonl, validation.jsonl or test.jsonl (or .json) in {data.data_path} is read as that split"


def check_tokenizer(model: ModelConfig, layout: PlanningTokens, task: TaskData) -> PreTrainedTokenizerBase:
    """The base model's tokenizer with the planning tokens.

    Raises UserError where they do not fit into it, or where it loses what is needed to parse solutions.
    """
    path = resolve(model.model_name_or_path).path
    tokenizer = planning_tokenizer(path, layout, model.reuse_reserved_tokens).tokenizer
    check_texts(layout, tokenizer, task.splits["train"])
    return tokenizer


def check_sharding(model: ModelConfig, args: TrainingConfig, generation_backend: str) -> None:
    """Raise UserError where the options ask for sharded weights, and these weights or processes do not allow it."""
    if not shards(args):
        return
    if not distributed.launched():
        raise UserError("--fsdp shards the model over several processes; start them: torchrun --nproc_per_node 8 -m …")
    check_sharded(model.parameter_efficient_mode, model.bits, generation_backend, generation_backend in ENGINES)


def check_labels(task: TaskData, config: ModelConfig) -> None:
    """Raise UserError where the options use the labels memory and reason, and the steps have none."""
    types = {step.type for solution in task.splits["train"] for step in solution.steps}
    if config.extract_step_type_tokens == "memory" and types == {PLAIN}:
        raise UserError(
            f"the steps of {task.name} are not labelled memory or reason; infer types for them, for example with "
            "--extract_step_type_tokens +-*/ (`memreason step-types --help` explains the methods), or give none"
        )


def check_as_many(checkpoint: Path) -> None:
    """Raise UserError where the run was started with another number of processes, since its batches would differ."""
    before = len(list(checkpoint.glob("rng_state*.pth")))
    if before != distributed.world_size():
        raise UserError(
            f"--resume: the run in {checkpoint.parent} was begun with {before} processes and must be resumed with as "
            f"many: {distributed.world_size()} would see other batches"
        )
