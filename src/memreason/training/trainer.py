"""Hugging Face's Trainer, with evaluation by generation, and with model units as checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.tensor import DTensor
from transformers import (
    ProgressCallback,
    Trainer,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from memreason.errors import UserError
from memreason.kernels.patching import attention_implementation
from memreason.models.sharding import frozen_embeddings_shown, shard_on_cpus
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import IGNORE
from memreason.runtime import distributed
from memreason.runtime.cpu_threads import considerate, share_cores
from memreason.runtime.interruptions import as_os_error
from memreason.runtime.reading import reading
from memreason.runtime.terminal import in_words
from memreason.training.checkpoints import COMPLETE, checkpoints_of, remove_checkpoint, rotate
from memreason.training.dataset import Example, Examples
from memreason.training.loss import TrainingPass, causal_lm
from memreason.training.packing import PackedExamples
from memreason.training.sampler import EpochSeededSampler, WithBlank
from memreason.training.time_estimate import TRAINING, VALIDATION, Outlook

WHOLE_ON_MAIN = StateDictOptions(full_state_dict=True, cpu_offload=True)
"""How the optimizer's state is saved when weights are sharded: whole, on the main process's CPU."""


class GenerationTrainer(Trainer):
    """Trains a `ModelUnit`, and evaluates it by calling ``evaluate_by_generation(epoch)``.

    That function returns the metrics to log, named `eval_…`; they are written to `trainer_state.json` and decide which
    checkpoint is best. `ModelUnit.save` writes the checkpoints; then ``on_save(folder)`` adds further files.
    """

    def __init__(
        self,
        unit: ModelUnit,
        args: TrainingArguments,
        examples: Examples | PackedExamples | list[Example],
        evaluate_by_generation: Callable[[float], dict[str, float]],
        on_save: Callable[[Path], None],
        outlook: Outlook | None = None,
    ):
        self.training_pass = TrainingPass(unit, examples, args.label_smoothing_factor)
        super().__init__(
            model=unit.model,
            args=args,
            train_dataset=WithBlank(examples) if args.world_size > 1 else examples,
            eval_dataset=[],  # evaluation needs no batches of the Trainer, but with None it refuses eval_strategy
            data_collator=self.training_pass.collate,
        )
        self.unit = unit
        self.control: TrainerControl
        self.evaluate_by_generation = evaluate_by_generation
        self.on_save = on_save
        self.outlook = outlook
        self._weights = causal_lm(unit).num_parameters(exclude_embeddings=True)
        self.model_accepts_loss_kwargs = True  # so that `num_items_in_batch` is counted
        self.loss_is_scaled_for_ga = True
        self.remove_callback(ProgressCallback)
        if not args.disable_tqdm:
            self.add_callback(_Progress(outlook))
        if distributed.rank():  # each rank has its own dropout; rank 0 draws the same as a single process
            set_seed(args.seed + distributed.rank())

    def create_accelerator_and_postprocess(self) -> None:
        """As in Trainer; also prepares sharding on CPUs."""
        super().create_accelerator_and_postprocess()
        if os.environ.get("ACCELERATE_USE_FSDP") == "true":  # set by accelerate, where --fsdp is given as well
            shard_on_cpus(self.accelerator, self.args.fsdp_plugin_args)
            self.is_fsdp_enabled = True

    def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
        with frozen_embeddings_shown(self.model) if self.is_fsdp_enabled else nullcontext():
            return super()._prepare_for_training(*args, **kwargs)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Mean cross entropy over the target tokens of the whole accumulated batch."""
        loss = self.training_pass.loss(model, inputs)
        loss = loss / ((inputs["labels"] != IGNORE).sum() if num_items_in_batch is None else num_items_in_batch)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return (loss, None) if return_outputs else loss

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As in Trainer, but raises UserError if the loss is not finite (Trainer logs the mean of earlier losses)."""
        share_cores()
        loss = super().training_step(*args, **kwargs)
        if not torch.isfinite(loss):
            self._diverged(f"the loss of step {self.state.global_step + 1} is {loss.item()}")
        return loss

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """As in Trainer, but does not count the weights again at each step."""
        return 6 * int(inputs["input_ids"].numel()) * self._weights

    def _check_weights(self) -> None:
        """Raise UserError if the last step has made a weight infinite or NaN."""
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                weight = parameter.to_local() if isinstance(parameter, DTensor) else parameter
                if not torch.isfinite(weight).all():
                    self._diverged(f"step {self.state.global_step} made {name} not finite")

    def _diverged(self, what: str) -> NoReturn:
        run = Path(str(self.args.output_dir))
        kept = ", ".join(folder.name for folder in checkpoints_of(run))
        raise UserError(
            f"training has diverged: {what} (epoch {self.state.epoch or 0:.2f}). Start again with a lower "
            f"--learning_rate (it is {self.args.learning_rate:g}), a longer --warmup_steps, a lower --max_grad_norm, "
            f"or --dtype float32, in another --output_dir; saved in {run} before that: {kept or 'no checkpoint'}"
        )

    def compute_loss_context_manager(self) -> ExitStack:
        """With autocast, where needed, so that bfloat16 weights and their float32 adapters compute in bfloat16."""
        stack = super().compute_loss_context_manager()
        if self.training_pass.casts:
            stack.enter_context(torch.autocast(self.args.device.type, torch.bfloat16))
        return stack

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train, in the fastest way that the model allows."""
        with considerate(), self.training_pass.prepared(packed=not self.is_fsdp_enabled):
            output = super().train(*args, **kwargs)
        self._check_weights()
        self.unit.model.forward = _own_forward(self.unit.model)
        return output

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Answer the validation questions, exactly as after training, and log the metrics."""
        self._check_weights()
        model = self.unit.model
        autocast_forward, model.forward = model.forward, _own_forward(model)
        try:
            with attention_implementation(self.training_pass.model, self.training_pass.usual_attention):
                result = self.evaluate_by_generation(self.state.epoch or 0.0)
        finally:
            model.forward = autocast_forward
        if self.outlook:
            self.outlook.reached(VALIDATION, self.state.global_step / self.state.max_steps)
        self.log(result)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, result)
        return result

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler | None:
        return self._seeded_sampler() or super()._get_train_sampler(train_dataset)

    def _seeded_sampler(self) -> EpochSeededSampler | None:
        """The sampler of those orders that depend on the seed; None for others."""
        strategy = self.args.train_sampling_strategy
        if strategy not in ("group_by_length", "random"):
            return None
        together = self.args.train_batch_size * self.args.world_size  # examples in one forward pass of all processes
        return EpochSeededSampler(
            together * self.args.gradient_accumulation_steps,
            self.train_dataset.lengths,
            self.args.seed if self.args.data_seed is None else self.args.data_seed,
            fill=together if self.args.world_size > 1 else 1,
            grouped=strategy == "group_by_length",
        )

    @property
    def order(self) -> Callable[[int], np.ndarray] | None:
        """Epoch → (examples,) the indices of the examples in the order of training; None where it is not known."""
        if sampler := self._seeded_sampler():
            return lambda epoch: sampler.order(epoch).numpy()
        if self.args.train_sampling_strategy == "sequential":
            return lambda _: np.arange(len(self.train_dataset))
        return None

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the whole unit, not the model alone."""
        folder = Path(output_dir or self.args.output_dir)
        self.unit.save(folder)
        if distributed.is_main():
            self.on_save(folder)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        """Write the same files whether weights are sharded or not."""
        if not self.is_fsdp_enabled:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        state = get_optimizer_state_dict(self.model, self.optimizer, options=WHOLE_ON_MAIN)
        if distributed.is_main():
            torch.save(state, Path(output_dir) / "optimizer.pt")
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / "scheduler.pt")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with _resuming(checkpoint, "optimizer.pt and scheduler.pt"):
            self._load_states(checkpoint)

    def _load_states(self, checkpoint: str | None) -> None:
        if not self.is_fsdp_enabled or checkpoint is None:
            super()._load_optimizer_and_scheduler(checkpoint)
            if checkpoint is not None:
                _check_optimizer(self.optimizer)
            return
        folder = Path(checkpoint)
        state = torch.load(folder / "optimizer.pt", weights_only=True) if distributed.is_main() else {}
        set_optimizer_state_dict(
            self.model, self.optimizer, state, options=replace(WHOLE_ON_MAIN, broadcast_from_rank0=True)
        )
        self.lr_scheduler.load_state_dict(torch.load(folder / "scheduler.pt", weights_only=True))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with _resuming(checkpoint, "rng_state.pth"):
            super()._load_rng_state(checkpoint)

    def _load_scaler(self, checkpoint: str | None) -> None:
        with _resuming(checkpoint, "scaler.pt"):
            super()._load_scaler(checkpoint)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Write a training checkpoint, mark it as complete, and only then remove older ones."""
        self._check_weights()
        run = str(self.args.output_dir)
        folder = Path(run) / f"checkpoint-{self.state.global_step}"
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            super()._save_checkpoint(model, trial)
        except BaseException as error:
            with suppress(OSError):
                remove_checkpoint(folder)
            raise as_os_error(error, Path(run)) or error from error
        finally:
            self.args.save_total_limit = limit
        distributed.wait_for_everyone()  # each process writes the state of its own random generator
        if self.args.should_save:
            if not self.args.save_only_model:  # without the optimizer's state, a run cannot resume from it
                (folder / COMPLETE).touch()
            rotate(Path(run), limit, self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        try:
            self.unit.load_weights(Path(resume_from_checkpoint))
        except UserError as error:
            raise UserError(f"{error}. To continue: {_without(resume_from_checkpoint)}") from error

    def _load_best_model(self) -> None:
        self.unit.load_weights(Path(str(self.args.output_dir)) / Path(self.state.best_model_checkpoint).name)

    @property
    def final_step(self) -> int:
        """The step of the weights with which the run ends: the best checkpoint's step, or the last."""
        if self.args.load_best_model_at_end and self.state.best_model_checkpoint:
            return int(self.state.best_model_checkpoint.rpartition("-")[2])
        return self.state.global_step


def _without(checkpoint: str) -> str:
    return f"delete {checkpoint}, and the same command continues from the checkpoint before it, or from the start"


@contextmanager
def _resuming(checkpoint: str | None, names: str) -> Iterator[None]:
    """Raise UserError if a run cannot continue from the state in the files ``names`` of ``checkpoint``."""
    with reading(f"{checkpoint}: {names} cannot be used to continue the run", _without(str(checkpoint))):
        yield


def _check_optimizer(optimizer: torch.optim.Optimizer) -> None:
    """Raise ValueError if a loaded state is not finite, or has another shape than its weight."""
    optimizer = getattr(optimizer, "optimizer", optimizer)
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and (value.ndim and value.shape != weight.shape):
                raise ValueError(f"{name} is {tuple(value.shape)}, and its weight {tuple(weight.shape)}")
            if isinstance(value, torch.Tensor) and not torch.isfinite(value).all():
                raise ValueError(f"{name} is not finite")


def _own_forward(model: torch.nn.Module) -> Any:
    """A model's forward without the autocast that accelerate adds for --bf16 and --fp16."""
    return getattr(model, "_original_forward", model.forward)


class _Progress(ProgressCallback):
    """Trainer's progress bar, with each log as one readable line, and with the time that is left of the whole run."""

    def __init__(self, outlook: Outlook | None):
        super().__init__()
        self.outlook = outlook

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.outlook and self.training_bar is not None:
            self.outlook.reached(TRAINING, state.global_step / state.max_steps)
            self.training_bar.set_postfix_str(f"whole run: {in_words(self.outlook.left())} left", refresh=False)
        super().on_step_end(args, state, control)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if not state.is_world_process_zero or self.training_bar is None or not logs:
            return
        shown = {k: v for k, v in logs.items() if k in ("loss", "learning_rate", "eval_acc", "train_loss")}
        words = "  ".join(f"{name} {value:.3g}" for name, value in shown.items())
        self.training_bar.write(f"  step {state.global_step}/{state.max_steps}  epoch {state.epoch:.2f}  {words}")
