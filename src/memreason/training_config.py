"""Hugging Face's TrainingArguments with our defaults. Apart from `config.py` because it imports torch."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from transformers import TrainingArguments

from memreason import processes
from memreason.config import option
from memreason.devices import DEVICE_HELP, DEVICES, choose_device
from memreason.errors import UserError

UNNAMED = "runs/unnamed"
METRICS = ("eval_acc", "eval_well_formed")
"""What the evaluation in the training loop logs."""


@dataclass
class TrainingConfig(TrainingArguments):
    """All of TrainingArguments, the old spelling --evaluation_strategy, and the run's own switches."""

    _argument_group_name: ClassVar[str] = "training: ours first, then the rest of Hugging Face's TrainingArguments"

    output_dir: str | None = option(None, "the run's folder (default: runs/<dataset>)")
    resume: bool = option(False, "continue a run that was stopped, with otherwise the same command")
    overwrite_output_dir: bool = option(False, "start anew where the folder already holds a run; its files are removed")
    keep_checkpoints: bool = option(
        True, "keep the checkpoint-… folders of a finished run; the best one's weights are in the run folder anyway"
    )
    on_device: str = option("auto", DEVICE_HELP, DEVICES, aliases=["--device"])
    num_train_epochs: float = option(3.0, "passes over the training questions")
    learning_rate: float = option(2e-4, "peak learning rate")
    per_device_train_batch_size: int = option(8, "examples per device and forward pass")
    per_device_eval_batch_size: int = option(64, "questions generated for at once while evaluating")
    gradient_accumulation_steps: int = option(2, "forward passes per optimizer step")
    warmup_steps: float = option(0.03, "steps of linear warm-up; below 1, a share of all steps")
    lr_scheduler_type: str = option("cosine", "learning rate schedule")
    weight_decay: float = option(0.0, "weight decay")
    logging_steps: float = option(10, "log the loss every so many steps")
    eval_strategy: str = option(
        "epoch", "evaluate by generation: 'epoch', 'steps' or 'no'", aliases=["--evaluation_strategy"]
    )
    save_strategy: str = option("epoch", "save a checkpoint: 'epoch', 'steps', 'best' or 'no'")
    save_total_limit: int | None = option(2, "training checkpoints kept, the best one among them")
    load_best_model_at_end: bool = option(True, "end with the epoch that is best on the validation split")
    metric_for_best_model: str | None = option("eval_acc", "what 'best' is measured by")
    train_sampling_strategy: str = option("group_by_length", "order of examples: group_by_length, random, sequential")
    report_to: str | None = option("none", "experiment trackers, e.g. tensorboard or wandb")
    ddp_find_unused_parameters: bool | None = option(False, "several processes: look for weights without a gradient")
    remove_unused_columns: bool | None = field(
        default=False, metadata={"help": "has no effect here: batches hold only what is used"}
    )

    def __post_init__(self) -> None:
        self.output_dir = self.output_dir or UNNAMED
        if self.metric_for_best_model not in METRICS:
            raise UserError(
                f"--metric_for_best_model {self.metric_for_best_model}: must be one of {', '.join(METRICS)}"
            )
        if self.eval_strategy == "no" or self.save_strategy == "no":
            self.load_best_model_at_end = False
            self.metric_for_best_model = None if self.eval_strategy == "no" else self.metric_for_best_model
        on_cpu = bool(vars(self)["use_cpu"])
        if on_cpu and self.on_device not in ("auto", "cpu"):
            raise UserError(f"--use_cpu with --device {self.on_device}: say one of them")
        device = choose_device("cpu" if on_cpu else self.on_device)
        self.use_cpu = device.type == "cpu"  # else transformers takes Apple's or Intel's GPU by itself
        if device.type != "cuda":
            self.dataloader_pin_memory = False
        said = str(vars(self)["fsdp"]).lower()
        if said in ("true", "false"):  # a recipe's, as text
            self.fsdp = said == "true"
        if processes.launched():
            os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"  # it leaves most processes with no weights to read
        super().__post_init__()
        if self.device.type != device.type:
            raise UserError(
                f"--device {device.type}: transformers' Trainer takes {self.device.type} here; say that one"
            )
        options = self.fsdp_plugin_args or {}
        if options.get("fsdp_version", 2) != 2 or options.get("cpu_ram_efficient_loading"):
            raise UserError("--fsdp_config: version must be 2, and cpu_ram_efficient_loading false")


def shards(args: TrainingConfig) -> bool:
    """Whether weights are to be sharded over the processes: --fsdp, or `accelerate launch --use_fsdp`."""
    return bool(args.fsdp) or os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def loading_device(args: TrainingConfig) -> torch.device:
    """Where weights are loaded: where they are trained, or on the CPU, to be sharded over GPUs layer by layer."""
    return torch.device("cpu") if shards(args) else args.device
