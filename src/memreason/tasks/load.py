"""Loading the dataset that the options name, with as many questions as they ask for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from memreason.config.data import DataConfig
from memreason.errors import UserError
from memreason.runtime.disk_list import DiskList
from memreason.tasks.base import TaskData
from memreason.tasks.registry import TASKS, load_task

Item = TypeVar("Item")


def load_data(config: DataConfig) -> TaskData:
    """The dataset that the options ask for; its splits have at most `num_train` and `num_test` questions.

    The same options give the same questions, each at most once, in the dataset's order. Raises UserError where the
    dataset is unknown or cannot be loaded.
    """
    sizes: dict[str, int] = {}
    if (task := TASKS.get(config.dataset)) and task.made_to_size:
        given = {"num_train": config.num_train, "num_test": config.num_test, "num_countries": config.num_countries}
        sizes = {name: size for name, size in given.items() if size}
    elif config.num_countries is not None:
        raise UserError(f"--num_countries is an option of the dataset atlas, and --dataset is {config.dataset}")
    data = load_task(
        config.dataset, config.data_path, seed=config.split_seed, num_validation=config.num_validation, sizes=sizes
    )
    limits = {"train": config.num_train, "validation": config.num_test}
    splits = {
        name: draw(solutions, limits.get(name, config.num_test), config.split_seed)
        for name, solutions in data.splits.items()
    }
    if config.train_subset and "train" in splits:
        splits["train"] = subset(splits["train"], config.train_subset, config.split_seed)
    return replace(data, splits=splits)


def subset(items: Sequence[Item], size: int, seed: int) -> Sequence[Item]:
    """``size`` of the items, drawn without replacement, in their original order; a smaller subset of the same items is
    part of a larger one. Raises UserError where there are not as many."""
    if size > len(items):
        raise UserError(f"--train_subset {size}: there are only {len(items)} train questions; raise --num_train")
    order = random.Random(f"subset {seed}").sample(range(len(items)), len(items))
    return DiskList(items[i] for i in sorted(order[:size]))


def draw(items: Sequence[Item], limit: int | None, seed: int) -> Sequence[Item]:
    """At most ``limit`` of the items (None or 0: all), drawn without replacement, in their original order."""
    if not limit or limit >= len(items):
        return items
    chosen = random.Random(seed).sample(range(len(items)), limit)
    return DiskList(items[i] for i in sorted(chosen))
