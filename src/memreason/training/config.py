"""Hugging Face's TrainingArguments with our defaults. It imports torch, so it is not in `config/training.py`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from transformers import SchedulerType, TrainingArguments

from memreason.config.fields import check_at_least, check_choice, option
from memreason.config.training import UNNAMED, TrainingOptions
from memreason.errors import UserError
from memreason.runtime import distributed
from memreason.runtime.devices import choose_device

HOW_TO_START = ("resume", "overwrite_output_dir")
"""Options that say how to start a run, and nothing of what it does."""


@dataclass
class TrainingConfig(TrainingOptions, TrainingArguments):
    """All of TrainingArguments, and `TrainingOptions`. An option that both have is the one of `TrainingOptions`."""

    _argument_group_name: ClassVar[str] = "the rest of Hugging Face's TrainingArguments"

    ddp_find_unused_parameters: bool | None = option(
        False, "with several processes: search for weights that got no gradient"
    )
    remove_unused_columns: bool | None = option(False, "has no effect here: batches hold only what is used")
    project: str = option("memreason", "the project at Trackio, and at W&B where WANDB_PROJECT is not set")

    def __post_init__(self) -> None:
        TrainingOptions.__post_init__(self)
        self._check_others()
        self.output_dir = self.output_dir or UNNAMED
        if self.eval_strategy == "no" or self.save_strategy == "no":
            self.load_best_model_at_end = False
            self.metric_for_best_model = None if self.eval_strategy == "no" else self.metric_for_best_model
        on_cpu = bool(vars(self)["use_cpu"])
        if on_cpu and self.on_device not in ("auto", "cpu"):
            raise UserError(f"--use_cpu with --device {self.on_device}: say one of them")
        device = choose_device("cpu" if on_cpu else self.on_device)
        self.use_cpu = device.type == "cpu"  # otherwise transformers chooses an Apple or Intel GPU by itself
        if device.type != "cuda":
            self.dataloader_pin_memory = False
        fsdp = str(vars(self)["fsdp"]).lower()
        if fsdp in ("true", "false"):  # from a recipe, as text
            self.fsdp = fsdp == "true"
        if distributed.launched():
            os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"  # with it, most processes load no weights
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it is sent when MLflow is imported
        TrainingArguments.__post_init__(self)
        if self.device.type != device.type:
            raise UserError(
                f"--device {device.type}: transformers' Trainer uses {self.device.type} here; give --device "
                f"{self.device.type}"
            )
        options = self.fsdp_plugin_args or {}
        if options.get("fsdp_version", 2) != 2 or options.get("cpu_ram_efficient_loading"):
            raise UserError("--fsdp_config: version must be 2, and cpu_ram_efficient_loading false")

    def _check_others(self) -> None:
        """Raise UserError for wrong values that otherwise fail only after the model is loaded, with a message that does
        not name the flag."""
        for flag in ("adam_beta1", "adam_beta2", "label_smoothing_factor"):
            if not 0 <= vars(self)[flag] < 1:
                raise UserError(f"--{flag} {vars(self)[flag]}: must be at least 0 and below 1")
        for flag in ("adam_epsilon", "max_grad_norm", "neftune_noise_alpha", "dataloader_num_workers"):
            check_at_least(flag, vars(self)[flag], 0)
        for flag, strategy in (("save_steps", self.save_strategy), ("eval_steps", self.eval_strategy)):
            value = vars(self)[flag]
            if strategy == "steps" and value is not None and not value > 0:
                raise UserError(f"--{flag} {value}: must be above 0")
        check_choice("lr_scheduler_type", str(getattr(self.lr_scheduler_type, "value", self.lr_scheduler_type)),
                     [kind.value for kind in SchedulerType])  # fmt: skip
        for flag, value in vars(self).items():
            if isinstance(value, str) and value.startswith("{"):
                try:
                    json.loads(value)
                except ValueError as error:
                    raise UserError(f"--{flag}: not valid JSON ({error})") from error

    def to_dict(self) -> dict[str, Any]:
        """The arguments as trackers log them, without those that say how to start: a resumed run logs the same."""
        return {name: value for name, value in super().to_dict().items() if name not in HOW_TO_START}


def shards(args: TrainingConfig) -> bool:
    """Whether weights are sharded over the processes: with --fsdp, or with `accelerate launch --use_fsdp`."""
    return bool(args.fsdp) or os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def recomputes(args: TrainingConfig) -> bool:
    """Whether activations are computed again for the backward pass. Older versions of transformers know the option by
    another name only."""
    return bool(getattr(args, "activation_checkpointing", None) or getattr(args, "gradient_checkpointing", None))


def loading_device(args: TrainingConfig) -> torch.device:
    """The device to load weights on: the one that trains, or the CPU if weights are then sharded over GPUs layer by
    layer."""
    return torch.device("cpu") if shards(args) else args.device
