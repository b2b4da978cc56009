"""The work that everyone is given: the same examples in the same order, the same questions, the same model."""

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
from memreason.models.loading import load_tokenizer, multiplied_weights
from memreason.models.manifest import is_checkpoint, read_manifest
from memreason.models.token_embeddings import add_tokens
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import PLAIN, Question
from memreason.runtime.devices import choose_device
from memreason.tasks.base import TaskData
from memreason.tasks.load import load_data
from memreason.training.dataset import Example
from memreason.training.encoding import encode_solutions

BASE_MAX_LENGTH = 256
T = TypeVar("T")
Taken = TypeVar("Taken")


class Unsuited(Exception):
    """Why one of those who take part cannot: a package that is missing, say."""


@dataclass(frozen=True)
class Work:
    """What is trained on and asked, as ids; goes to every process.

    ``model`` says what training starts from, ``limit`` how long a text may be, prompt and answer together.
    ``weights`` are those of the base model that every token is multiplied by. ``dtype`` is that of the
    weights that answer, ``model.dtype`` that of those that are trained, ``layout`` that of the answers' texts;
    ``questions`` and ``prompts`` (ids) are in the order of the prompts' lengths.
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
        """Numbers of the questions for those that answer one at a time."""
        return spread(range(len(self.questions)), self.config.one_by_one)

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of what answers the questions."""
        if is_checkpoint(self.config.model_name_or_path):
            return load_tokenizer(self.config.model_name_or_path)
        tokenizer = load_tokenizer(resolve(self.model.model_name_or_path).path)
        add_tokens(tokenizer, self.layout)
        return tokenizer

    def unit(self, dtype: str) -> ModelUnit:
        """What answers the questions: the checkpoint, or the base model with fresh planning tokens."""
        if is_checkpoint(self.config.model_name_or_path):
            folder = Path(self.config.model_name_or_path)
            return load(folder, None, dtype, model_max_length=self.limit, device=self.device)
        return build(replace(self.model, dtype=dtype), self.limit, self.config.seed, device=self.device)

    @property
    def device(self) -> torch.device:
        """Where everyone computes."""
        return choose_device(self.config.device)


@dataclass
class Turn:
    """One turn: ``items`` examples trained on, or questions answered, in ``seconds``.

    ``tokens`` are those trained on, or written, padding left out. ``operations`` are the floating-point
    operations of the matrix products that this needs (2 a weight and token for a forward pass, 4 with a
    backward pass through frozen weights), ``moved`` the bytes of weights that were read for it, where that
    is known. ``losses`` has one entry a step; ``texts`` question number → trace.
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
    """Load the data and choose. Raises UserError where there is too little of it."""
    folder = Path(config.model_name_or_path)
    manifest = read_manifest(folder) if is_checkpoint(folder) else None
    base = manifest.base_model if manifest else config.model_name_or_path
    limit = config.model_max_length or (manifest.model_max_length if manifest else BASE_MAX_LENGTH)
    task = load_data(_data(config))
    labelled = task.step_types - {PLAIN}
    # Once for all, who work in processes of their own.
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
    asked = [
        (prompt, question)
        for question in _questions(task)
        if len(prompt := layout.encode_prompt(tokenizer, question)) < limit
    ]
    if not asked:
        raise UserError(f"{task.name} has no test question whose prompt is shorter than --model_max_length {limit}")
    asked = spread(sorted(asked, key=lambda pair: len(pair[0])), config.questions)
    return Work(
        config=config,
        model=model,
        weights=multiplied_weights(resolve(base).path),
        limit=limit,
        layout=layout,
        dtype=manifest.dtype if manifest and config.dtype == "auto" else dtype,
        examples=examples,
        questions=[question for _, question in asked],
        prompts=[prompt for prompt, _ in asked],
    )


def _data(config: BenchmarkConfig) -> DataConfig:
    """The checkpoint's data, or what the options say."""
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
    """The examples of each step in turn: neighbours in length, as grouping a whole dataset by length makes them."""
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
    prepare: Callable[[str], Taken],
    try_out: Callable[[Taken], Turn],
    finish: Callable[[Taken], Callable[[], Turn]],
) -> Callable[[], Turn]:
    """Of what ``prepare`` makes for each data type, the one whose trial goes fastest, as ``finish`` hands it on.

    No more than two are in memory at a time, and the memory that the others took does not count.
    """
    if len(dtypes) == 1:
        return finish(prepare(dtypes[0]))
    best: tuple[float, Taken] | None = None
    for dtype in dtypes:
        one = prepare(dtype)
        rate = max(turn.items / turn.seconds for turn in (try_out(one), try_out(one)))
        if best is None or rate > best[0]:
            best = rate, one
        del one
        gc.collect()
    assert best is not None
    forget_peak_memory()
    return finish(best[1])


def spread(things: Sequence[T], count: int) -> list[T]:
    """``count`` of the things (all, where there are no more), evenly spread over their order."""
    count = min(count, len(things))
    return [things[(2 * i + 1) * len(things) // (2 * count)] for i in range(count)]
