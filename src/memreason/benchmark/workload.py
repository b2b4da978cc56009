"""The work of all contestants: the same examples in the same order, the same questions, the same model."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import PreTrainedTokenizerBase

from memreason.benchmark.config import BenchmarkConfig
from memreason.benchmark.machine import forget_peak_memory
from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.run import read_config
from memreason.errors import UserError
from memreason.models.base import resolve
from memreason.models.build import build
from memreason.models.dtypes import choose_dtype, dtype_name
from memreason.models.load import load
from memreason.models.manifest import is_checkpoint, read_manifest
from memreason.models.token_embeddings import add_tokens
from memreason.models.unit import ModelUnit
from memreason.models.weights import load_tokenizer, multiplied_weights
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import PLAIN, Question
from memreason.runtime.devices import choose_device
from memreason.tasks.base import TaskData
from memreason.tasks.load import load_data
from memreason.training.dataset import Example
from memreason.training.encoding import encode_solutions

BASE_MAX_LENGTH = 256
"""Longest text in tokens, if the model is a base model and no option says otherwise."""
T = TypeVar("T")
Prepared = TypeVar("Prepared")


class Unsuited(Exception):
    """A contestant cannot take part; the message says why, for example that a package is missing."""


@dataclass(frozen=True)
class Work:
    """The examples and questions, as token ids; every process gets them.

    ``model`` describes the model that training starts from. ``limit`` is the greatest length of a text in tokens,
    prompt and answer together. ``weights`` is the number of the base model's weights that every token is multiplied by.
    ``dtype`` is the data type in generation, ``model.dtype`` that in training. ``layout`` is the layout of the answers'
    planning tokens. ``questions`` and ``prompts`` (ids) are in the order of the prompts' lengths.
    """

    config: BenchmarkConfig
    model: ModelConfig
    weights: int
    limit: int
    dtype: str
    layout: PlanningTokens
    examples: list[Example]
    questions: list[Question]
    prompts: list[list[int]]

    @property
    def sample(self) -> list[int]:
        """The numbers of the questions for contestants that answer one at a time."""
        return spread(range(len(self.questions)), self.config.one_by_one)

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the model that answers the questions."""
        if is_checkpoint(self.config.model_name_or_path):
            return load_tokenizer(self.config.model_name_or_path)
        tokenizer = load_tokenizer(resolve(self.model.model_name_or_path).path)
        add_tokens(tokenizer, self.layout)
        return tokenizer

    def unit(self, dtype: str) -> ModelUnit:
        """The model that answers the questions: the checkpoint, or the base model with new planning tokens."""
        if is_checkpoint(self.config.model_name_or_path):
            folder = Path(self.config.model_name_or_path)
            return load(folder, None, dtype, model_max_length=self.limit, device=self.device)
        return build(replace(self.model, dtype=dtype), self.limit, self.config.seed, device=self.device)

    @property
    def device(self) -> torch.device:
        """The device that all contestants use."""
        return choose_device(self.config.device)


@dataclass
class Turn:
    """The result of one turn: ``items`` examples were trained on, or questions answered, in ``seconds``.

    ``tokens`` are the tokens trained on or written, without padding. ``operations`` are the floating-point operations
    of the matrix products that this needs: per weight and token 2 for a forward pass, 4 with a backward pass through
    frozen weights. ``moved`` are the bytes of weights that were read, None if not known. ``losses`` has one entry for
    each step. ``texts``: number of a question → its trace. ``peak_memory`` is in bytes.
    """

    seconds: float
    items: int
    tokens: int
    operations: float
    moved: float | None = None
    dtype: str = ""
    losses: list[float] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    peak_memory: dict[str, int] = field(default_factory=dict)


def prepare_work(config: BenchmarkConfig) -> Work:
    """Load the data, and choose examples and questions. Raises UserError if there are too few."""
    folder = Path(config.model_name_or_path)
    manifest = read_manifest(folder) if is_checkpoint(folder) else None
    base = manifest.base_model if manifest else config.model_name_or_path
    limit = config.model_max_length or (manifest.model_max_length if manifest else BASE_MAX_LENGTH)
    task = load_data(_data(config))
    labelled = task.step_types - {PLAIN}
    # Chosen once for all contestants, which work in their own processes.
    dtype = dtype_name(choose_dtype(config.dtype, resolve(base).path, choose_device(config.device)))
    model = ModelConfig(
        model_name_or_path=base, lora_module=config.lora_module, lora_r=config.lora_r, lora_alpha=config.lora_r,
        lora_dropout=config.lora_dropout, dtype=dtype, extract_step_type_tokens="memory" if labelled else "none",
    )  # fmt: skip
    layout = AblationConfig().layout(model)
    tokenizer = load_tokenizer(resolve(base).path)
    add_tokens(tokenizer, layout)
    examples = []
    if "training" in config.what:
        solutions = task.splits.get("train", [])
        examples = _groups(list(encode_solutions(solutions, layout, tokenizer, limit)[0]), config)
    if manifest:
        layout, tokenizer = manifest.planning_tokens, load_tokenizer(str(folder))
    pairs = [
        (prompt, question)
        for question in _questions(task)
        if len(prompt := layout.encode_prompt(tokenizer, question)) < limit
    ]
    if not pairs:
        raise UserError(f"{task.name} has no test question whose prompt is shorter than --model_max_length {limit}")
    pairs = spread(sorted(pairs, key=lambda pair: len(pair[0])), config.questions)
    return Work(
        config=config,
        model=model,
        weights=multiplied_weights(resolve(base).path),
        limit=limit,
        layout=layout,
        dtype=manifest.dtype if manifest and config.dtype == "auto" else dtype,
        examples=examples,
        questions=[question for _, question in pairs],
        prompts=[prompt for prompt, _ in pairs],
    )


def _data(config: BenchmarkConfig) -> DataConfig:
    """The data that the checkpoint was trained on, or that the options name."""
    data = DataConfig(num_test=0)
    if is_checkpoint(config.model_name_or_path):
        of_checkpoint = read_config(Path(config.model_name_or_path)).data
        if config.dataset in (None, of_checkpoint.dataset):
            data = of_checkpoint
    given: dict[str, Any] = {"dataset": config.dataset, "data_path": config.data_path}
    return replace(data, **{name: value for name, value in given.items() if value is not None})


def _questions(task: TaskData) -> list[Question]:
    names = task.test_splits or ["validation"]
    return [solution.question for name in names for solution in task.splits.get(name, [])]


def _groups(examples: list[Example], config: BenchmarkConfig) -> list[Example]:
    """The examples, step after step; those of one step have similar lengths, as in a dataset grouped by length."""
    size = config.examples_per_step
    ordered = sorted(examples, key=lambda example: len(example["input_ids"]))
    groups = [ordered[start : start + size] for start in range(0, len(ordered) - size + 1, size)]
    if len(groups) < config.train_steps:
        raise UserError(
            f"--train_steps {config.train_steps} of {size} examples each: the dataset has {len(examples)} of them; "
            "lower --train_steps or --examples_per_step"
        )
    return [example for group in spread(groups, config.train_steps) for example in group]


def fastest(
    dtypes: Sequence[str],
    prepare: Callable[[str], Prepared],
    try_out: Callable[[Prepared], Turn],
    finish: Callable[[Prepared], Callable[[], Turn]],
) -> Callable[[], Turn]:
    """``finish(prepare(dtype))`` for the data type with the best rate of two trials by ``try_out``.

    At most two prepared models are in memory at the same time, and the memory of the slower ones does not count.
    """
    if len(dtypes) == 1:
        return finish(prepare(dtypes[0]))
    best: tuple[float, Prepared] | None = None
    for dtype in dtypes:
        prepared = prepare(dtype)
        rate = max(turn.items / turn.seconds for turn in (try_out(prepared), try_out(prepared)))
        if best is None or rate > best[0]:
            best = rate, prepared
        del prepared
        gc.collect()
    assert best is not None
    forget_peak_memory()
    return finish(best[1])


def spread(things: Sequence[T], count: int) -> list[T]:
    """``count`` of the things, evenly spread over their order; all of them if there are not so many."""
    count = min(count, len(things))
    return [things[(2 * i + 1) * len(things) // (2 * count)] for i in range(count)]
