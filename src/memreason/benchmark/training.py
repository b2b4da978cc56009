"""The contestants in training: each is prepared once, and takes the same optimizer steps in every turn."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    DataCollatorForSeq2Seq,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from memreason.benchmark.ceiling import synchronize
from memreason.benchmark.config import BFLOAT16, FLOAT32, TRAINING, Entry
from memreason.benchmark.workload import Turn, Unsuited, Work, fastest
from memreason.config.ablations import AblationConfig
from memreason.models.base import resolve
from memreason.models.build import build
from memreason.models.lora_targets import lora_targets
from memreason.models.token_embeddings import add_tokens, initialise_rows, resize
from memreason.models.weights import load_causal_lm, load_tokenizer
from memreason.runtime.allocator import keep_freed_memory
from memreason.training.config import TrainingConfig
from memreason.training.dataset import Example
from memreason.training.trainer import GenerationTrainer

TakeTurn = Callable[[], Turn]
BATCH = 4
"""Examples per forward pass of all contestants that train in batches, except memreason."""


def prepare(name: str, work: Work) -> TakeTurn:
    """A function that takes the turn of the contestant ``name``, which has loaded its model and warmed up.

    It works in the data type that is the fastest for it on this machine. Raises Unsuited if it cannot take part.
    """
    entry = TRAINING[name]
    if reason := entry.why_not(work.dtype, work.config.gguf):
        raise Unsuited(reason)
    if entry.keeps_memory:
        keep_freed_memory()
    return fastest(
        work.config.dtypes(entry) or (work.model.dtype,),
        lambda dtype: _prepare(entry, work, dtype),
        lambda turn: turn(work.examples[-BATCH:]),
        lambda turn: _warmed_up(turn, work),
    )


def _warmed_up(turn: Callable[[list[Example]], Turn], work: Work) -> TakeTurn:
    turn(work.examples[-work.config.examples_per_step :])
    return lambda: turn(work.examples)


def _prepare(entry: Entry, work: Work, dtype: str) -> Callable[[list[Example]], Turn]:
    model, make = TRAINERS[entry.runs](work, entry, dtype)

    def turn(examples: list[Example]) -> Turn:
        set_seed(work.config.seed)
        trainer = make(examples)
        clock = _Clock()
        trainer.add_callback(clock)
        trainer.train()
        trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # otherwise the next trainer wraps it again
        tokens = sum(len(example["input_ids"]) for example in examples)
        operations = 4.0 * work.weights * tokens
        return Turn(clock.seconds, len(examples), tokens, operations, dtype=dtype, losses=clock.losses)

    return turn


class _Clock(TrainerCallback):
    """Measures the seconds from the start of the first step to the end of the last, and keeps the loss of each step."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.seconds = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        synchronize()
        self.seconds = -time.perf_counter()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        synchronize()
        self.seconds += time.perf_counter()

    def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


def _common(work: Work, batch: int) -> dict[str, Any]:
    """Training arguments that are the same for all contestants; the examples are grouped by length already."""
    return {
        "output_dir": tempfile.mkdtemp(prefix="memreason-benchmark-"),
        "num_train_epochs": 1,
        "per_device_train_batch_size": batch,
        "gradient_accumulation_steps": work.config.examples_per_step // batch,
        "learning_rate": 1e-4,
        "lr_scheduler_type": "constant",
        "warmup_steps": 0,
        "train_sampling_strategy": "sequential",
        "eval_strategy": "no",
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "use_cpu": work.device.type == "cpu",
        "disable_tqdm": True,
        "dataloader_pin_memory": work.device.type == "cuda",
        "seed": work.config.seed,
    }


Make = Callable[[list[Example]], Trainer]


def _memreason(work: Work, entry: Entry, dtype: str) -> tuple[PeftModel, Make]:
    """As `memreason train`, without its evaluation."""
    unit = build(work.model, work.limit, work.config.seed, device=work.device)
    usual = min(TrainingConfig.per_device_train_batch_size, work.config.examples_per_step)
    args = _common(work, work.config.per_device_train_batch_size or usual)

    def make(examples: list[Example]) -> Trainer:
        return GenerationTrainer(
            unit, TrainingConfig(**args), examples, evaluate_by_generation=lambda epoch: {}, on_save=lambda folder: None
        )

    return unit.model, make


def _stock(work: Work, dtype: torch.dtype) -> tuple[PeftModel, PreTrainedTokenizerBase]:
    """The same model, planning tokens and adapters by PEFT alone, with PEFT's own way of training new rows."""
    config, path = work.model, resolve(work.model.model_name_or_path).path
    tokenizer = load_tokenizer(path)
    model = load_causal_lm(path, dtype, device=work.device)
    token_ids = add_tokens(tokenizer, AblationConfig().layout(config))
    resize(model, len(tokenizer))
    initialise_rows(model, tokenizer, token_ids, work.config.seed)
    names = {id(layer): name.rpartition(".")[2] for name, layer in model.named_modules()}
    sides = [model.get_input_embeddings()]
    if not model.config.get_text_config().tie_word_embeddings:
        sides.append(model.get_output_embeddings())
    targets = lora_targets(model, config.lora_module)
    torch.manual_seed(work.config.seed)
    adapters = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=targets.layers,
        target_parameters=targets.weights or None,
        trainable_token_indices={names[id(side)]: list(token_ids.values()) for side in sides},
    )
    return get_peft_model(model, adapters), tokenizer


def _trainer(work: Work, entry: Entry, dtype: str) -> tuple[PeftModel, Make]:
    """transformers' Trainer, unchanged: in batches, or one example at a time."""
    model, tokenizer = _stock(work, torch.bfloat16 if dtype == BFLOAT16 else torch.float32)
    args = _common(work, 1 if entry.one_at_a_time else BATCH) | {
        "bf16": dtype != FLOAT32,
        "remove_unused_columns": False,
    }

    def make(examples: list[Example]) -> Trainer:
        collator = DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100)
        return Trainer(model, TrainingArguments(**args), collator, train_dataset=examples)

    return model, make


def _trl(work: Work, entry: Entry, dtype: str) -> tuple[PeftModel, Make]:
    """TRL's SFTTrainer. If it packs, a row has room for about as many examples as a batch without packing."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = _stock(work, torch.float32)
    head = model.get_base_model().get_output_embeddings()
    if not hasattr(head, "bias"):
        head.bias = None  # TRL's loss reads this attribute, and PEFT's layer for new rows lacks it
    lengths = [len(example["input_ids"]) for example in work.examples]
    args = _common(work, BATCH) | {
        "gradient_checkpointing": entry.checkpointing,
        "bf16": dtype != FLOAT32,
        "max_length": work.limit,
    }
    if entry.packed:
        args |= {"packing": True, "per_device_train_batch_size": 1}
        args["max_length"] = max(BATCH * sum(lengths) // len(lengths), max(lengths))

    def make(examples: list[Example]) -> Trainer:
        rows = Dataset.from_list([{name: example[name] for name in ("input_ids", "labels")} for example in examples])
        return SFTTrainer(model, SFTConfig(**args), train_dataset=rows, processing_class=tokenizer)

    return model, make


TRAINERS: dict[str, Callable[[Work, Entry, str], tuple[PeftModel, Make]]] = {
    "memreason": _memreason,
    "trainer": _trainer,
    "trl": _trl,
}
"""`Entry.runs` → a function that gives (the model, a function that makes a trainer for some examples)."""
