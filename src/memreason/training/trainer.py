"""Hugging Face's Trainer, with evaluation by generation and checkpoints that are model units."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

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
from memreason.kernels.attention_in_use import attention_in_use
from memreason.models.sharding import frozen_embeddings_shown, shard_on_cpus
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import IGNORE
from memreason.runtime import distributed
from memreason.runtime.cpu_threads import considerate, share_cores
from memreason.runtime.interruptions import as_os_error
from memreason.runtime.reading import reading
from memreason.training.checkpoints import COMPLETE, remove_checkpoint, rotate
from memreason.training.dataset import Example, Examples
from memreason.training.encoding import EpochSeededSampler, PackedExamples, WithBlank
from memreason.training.loss import TrainingPass, causal_lm
from memreason.training.time_estimate import TRAINING, VALIDATION, Outlook, in_words

WHOLE_ON_MAIN = StateDictOptions(full_state_dict=True, cpu_offload=True)
"""How the state of an optimizer whose weights are sharded is saved."""


class GenerationTrainer(Trainer):
    """Trains a `ModelUnit`; evaluates by calling ``evaluate_by_generation(epoch)``.

    That function returns the metrics to log, named `eval_…`; they go to `trainer_state.json` and
    decide which checkpoint is best. Checkpoints are written by `ModelUnit.save`, with ``on_save``
    adding what else belongs beside the weights.
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
            eval_dataset=[],  # evaluation needs no batches of Trainer's; None would refuse eval_strategy
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
        if distributed.rank():  # dropout of its own; rank 0 draws what a single process would
            set_seed(args.seed + distributed.rank())

    def create_accelerator_and_postprocess(self) -> None:
        """As usual, and sharding on CPUs too."""
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
        """Mean cross entropy over the solutions' tokens of the whole accumulated batch."""
        loss = self.training_pass.loss(model, inputs)
        loss = loss / ((inputs["labels"] != IGNORE).sum() if num_items_in_batch is None else num_items_in_batch)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return (loss, None) if return_outputs else loss

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As usual; UserError where the loss is not finite (the stock trainer logs the mean of those before)."""
        share_cores()
        loss = super().training_step(*args, **kwargs)
        if not torch.isfinite(loss):
            self._diverged(f"the loss of step {self.state.global_step + 1} is {loss.item()}")
        return loss

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """As usual, without counting the weights anew at each step."""
        return 6 * int(inputs["input_ids"].numel()) * self._weights

    def _check_weights(self) -> None:
        """Raise UserError where the last step has made weights that are not finite."""
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                weight = parameter.to_local() if isinstance(parameter, DTensor) else parameter
                if not torch.isfinite(weight).all():
                    self._diverged(f"step {self.state.global_step} made {name} not finite")

    def _diverged(self, what: str) -> NoReturn:
        run = Path(str(self.args.output_dir))
        kept = ", ".join(sorted(folder.name for folder in run.glob("checkpoint-*")))
        raise UserError(
            f"training has diverged: {what} (epoch {self.state.epoch or 0:.2f}). Start again with a lower "
            f"--learning_rate (it is {self.args.learning_rate:g}), a longer --warmup_steps, a lower --max_grad_norm, "
            f"or --dtype float32, in another --output_dir; {run} keeps {kept or 'no checkpoint'} of before"
        )

    def compute_loss_context_manager(self) -> ExitStack:
        """Weights held in bf16 compute in bf16, the fp32 adapters included."""
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

    @contextmanager
    def _usual_attention(self) -> Iterator[None]:
        model = causal_lm(self.unit)
        before = attention_in_use(model.config)
        model.set_attn_implementation(self.training_pass.usual_attention)
        try:
            yield
        finally:
            model.set_attn_implementation(before)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Generate on the validation questions, exactly as it is done after training, and log the metrics."""
        self._check_weights()
        model = self.unit.model
        autocast_forward, model.forward = model.forward, _own_forward(model)
        try:
            with self._usual_attention():
                result = self.evaluate_by_generation(self.state.epoch or 0.0)
        finally:
            model.forward = autocast_forward
        if self.outlook:
            self.outlook.reached(VALIDATION, (self.state.epoch or 0) / self.args.num_train_epochs)
        self.log(result)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, result)
        return result

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler | None:
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        together = self.args.train_batch_size * self.args.world_size  # in one forward pass of every process
        return EpochSeededSampler(
            together * self.args.gradient_accumulation_steps,
            self.train_dataset.lengths,
            self.args.seed if self.args.data_seed is None else self.args.data_seed,
            fill=together if self.args.world_size > 1 else 1,
        )

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the unit, not the bare model."""
        folder = Path(output_dir or self.args.output_dir)
        self.unit.save(folder)
        if distributed.is_main():
            self.on_save(folder)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        """The same files however the weights are sharded."""
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
        """Write a training checkpoint, mark it complete, and only then remove older ones."""
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
        distributed.wait_for_everyone()  # each writes the state of its random draws
        if self.args.should_save:
            if not self.args.save_only_model:  # without the optimizer's state it cannot be resumed from
                (folder / COMPLETE).touch()
            rotate(Path(run), limit, self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        try:
            self.unit.load_weights(Path(resume_from_checkpoint))
        except UserError as error:
            raise UserError(f"{error}. To go on: {_without(resume_from_checkpoint)}") from error

    def _load_best_model(self) -> None:
        self.unit.load_weights(Path(str(self.args.output_dir)) / Path(self.state.best_model_checkpoint).name)

    @property
    def final_step(self) -> int:
        """The step whose weights the run ends with: the best checkpoint's, or the last."""
        if self.args.load_best_model_at_end and self.state.best_model_checkpoint:
            return int(self.state.best_model_checkpoint.rpartition("-")[2])
        return self.state.global_step


def _without(checkpoint: str) -> str:
    return f"delete {checkpoint}, and the same command goes on from the one before it, or from the start"


@contextmanager
def _resuming(checkpoint: str | None, names: str) -> Iterator[None]:
    """Raise UserError where the state in the files ``names`` of ``checkpoint`` cannot be gone on from."""
    with reading(f"{checkpoint}: {names} cannot be gone on from", _without(str(checkpoint))):
        yield


def _check_optimizer(optimizer: torch.optim.Optimizer) -> None:
    """Raise ValueError where a state just loaded is not finite, or of another shape than its weight."""
    optimizer = getattr(optimizer, "optimizer", optimizer)
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and (value.ndim and value.shape != weight.shape):
                raise ValueError(f"{name} is {tuple(value.shape)}, and its weight {tuple(weight.shape)}")
            if isinstance(value, torch.Tensor) and not torch.isfinite(value).all():
                raise ValueError(f"{name} is not finite")


def _own_forward(model: torch.nn.Module) -> Any:
    """A model's forward without the autocast that accelerate puts around it for --bf16 and --fp16."""
    return getattr(model, "_original_forward", model.forward)


class _Progress(ProgressCallback):
    """The stock progress bar, with each log as one readable line, and what is left of the whole run."""

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
