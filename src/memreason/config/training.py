"""The options of `memreason train` on the run itself. They are not in `training/config.py`, which imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

from memreason.config.fields import check_at_least, check_choice, option
from memreason.errors import UserError, did_you_mean
from memreason.runtime.devices import DEVICE_HELP, DEVICES

UNNAMED = "runs/unnamed"
METRICS = ("eval_acc", "eval_well_formed")
"""The metrics that the evaluation in the training loop logs."""
EVALUATE, SAVE = ("epoch", "steps", "no"), ("epoch", "steps", "best", "no")
_BY_NAME = "clearml codecarbon comet_ml dvclive mlflow neptune swanlab tensorboard trackio wandb"
TRACKERS = {name: name for name in _BY_NAME.split()} | {"azure_ml": "azureml", "flyte": "flytekit"}
"""Value of `--report_to` → the package that it needs."""


@dataclass
class TrainingOptions:
    """Options of the run itself, and those of Hugging Face's TrainingArguments that have our own default or are often
    needed.

    They are checked, with UserError, before torch is imported.
    """

    _argument_group_name: ClassVar[str] = "training"

    output_dir: str | None = option(None, "the run's folder (default: runs/<dataset>)")
    resume: bool = option(False, "continue a stopped run; the rest of the command must be the same as before")
    overwrite_output_dir: bool = option(False, "start again if the folder already holds a run; its files are removed")
    on_device: str = option("auto", DEVICE_HELP, DEVICES, aliases=["--device"])
    num_train_epochs: float = option(3.0, "passes over the training questions")
    max_steps: int = option(-1, "number of optimizer steps, instead of --num_train_epochs; -1 = use --num_train_epochs")
    num_train_tokens: int | None = option(
        None, "train on about this many tokens, instead of --num_train_epochs: in as many steps as come nearest"
    )
    learning_rate: float = option(2e-4, "peak learning rate")
    per_device_train_batch_size: int = option(8, "examples per device and forward pass")
    gradient_accumulation_steps: int = option(2, "forward passes per optimizer step")
    per_device_eval_batch_size: int = option(64, "questions answered at once in evaluation")
    warmup_steps: float = option(0.03, "steps of linear warm-up; below 1, a share of all steps")
    lr_scheduler_type: str = option("cosine", "learning rate schedule")
    weight_decay: float = option(0.0, "weight decay")
    seed: int = option(42, "seed of the order of examples, of dropout and of new weights")
    eval_strategy: str = option(
        "epoch", "when to evaluate by generation; 'steps': every --eval_steps", EVALUATE, ["--evaluation_strategy"]
    )
    save_strategy: str = option("epoch", "when to save a checkpoint; 'steps': every --save_steps", SAVE)
    load_best_model_at_end: bool = option(True, "end with the weights of the epoch that is best on validation")
    metric_for_best_model: str | None = option("eval_acc", f"metric that decides what is best: {', '.join(METRICS)}")
    save_total_limit: int | None = option(2, "number of training checkpoints to keep, the best one included")
    keep_checkpoints: bool = option(
        True, "keep the checkpoint-… folders of a finished run; the best one's weights are in the run folder anyway"
    )
    train_sampling_strategy: str = option(
        "group_by_length", "order of examples", ("group_by_length", "random", "sequential")
    )
    logging_steps: float = option(10, "log the loss every so many steps")
    disable_tqdm: bool | None = option(None, "show no progress bars")
    report_to: str | None = option(
        "none", "experiment tracker, such as tensorboard, mlflow, wandb or trackio; it must be installed"
    )

    def __post_init__(self) -> None:
        for flag, least in (
            ("per_device_train_batch_size", 1), ("per_device_eval_batch_size", 1), ("gradient_accumulation_steps", 1),
            ("learning_rate", 0), ("weight_decay", 0), ("warmup_steps", 0), ("save_total_limit", 1), ("seed", 0),
            ("max_steps", -1), ("logging_steps", 0), ("num_train_tokens", 1),
        ):  # fmt: skip
            check_at_least(flag, getattr(self, flag), least)
        if not 0 < self.num_train_epochs < float("inf"):
            raise UserError(f"--num_train_epochs {self.num_train_epochs}: must be above 0, or nothing would be trained")
        if self.max_steps == 0:
            raise UserError("--max_steps 0: nothing would be trained; -1 means as many as --num_train_epochs takes")
        if self.num_train_tokens is not None and self.max_steps > 0:
            raise UserError("--num_train_tokens with --max_steps: each says how long to train; give one of them")
        if self.seed >= 2**32:
            raise UserError(f"--seed {self.seed}: must be below 2 to the 32nd")
        if self.learning_rate == float("inf"):
            raise UserError("--learning_rate inf: must be a number; 2e-4 is the default")
        check_choice("eval_strategy", self.eval_strategy, EVALUATE)
        check_choice("save_strategy", self.save_strategy, SAVE)
        if self.metric_for_best_model not in (None, *METRICS):
            check_choice("metric_for_best_model", self.metric_for_best_model, METRICS)
        if (
            self.load_best_model_at_end
            and len({self.eval_strategy, self.save_strategy} - {"best"}) > 1
            and ("no" not in (self.eval_strategy, self.save_strategy))
        ):
            raise UserError(
                f"--eval_strategy {self.eval_strategy} with --save_strategy {self.save_strategy}: to end with the best "
                "weights, they must be saved when they are evaluated, so the save and eval strategy have to match; "
                f"say --save_strategy {self.eval_strategy} too, or --load_best_model_at_end False"
            )
        self._check_tracker()

    def _check_tracker(self) -> None:
        """Raise UserError where the tracker of `--report_to` is unknown or not installed: before the model is loaded,
        since transformers finds that out only afterwards."""
        given: Any = self.report_to or ()
        for name in [given] if isinstance(given, str) else given:  # a list of several is for scripts
            if name in ("none", "all"):
                continue
            if name not in TRACKERS:
                known = ", ".join(sorted(TRACKERS))
                raise UserError(f"--report_to {name}: must be one of none, {known}{did_you_mean(name, TRACKERS)}")
            if find_spec(TRACKERS[name]) is None:
                raise UserError(
                    f"--report_to {name}: its package is not installed; run: pip install {TRACKERS[name]}, or leave "
                    "the flag out"
                )
