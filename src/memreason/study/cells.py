"""The cells of a study: one run of one arm each, with the exact commands that make it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.training import TrainingOptions
from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION, EXPLANATION, FIGURES, METRICS, TRACES
from memreason.explain.config import FOR_COMPARISONS
from memreason.study.recipe import ArmRecipe, Option, Recipe

Values = dict[str, Sequence[str]]
"""Name of an option → its values."""
RUN = "{run}"
"""Stands in commands for the cell's folder."""
TRAIN, EVALUATE, EXPLAIN = "train", "evaluate", "explain"
TRAIN_DEFAULTS: Values = {
    "dtype": ("float32",),
    "train_sampling_strategy": ("random",),
    "eval_strategy": ("no",),
    "save_strategy": ("no",),
    "load_best_model_at_end": ("False",),
    "disable_tqdm": ("True",),
}
"""What a study trains with unless its recipe says otherwise. Every arm ends with its last weights; the order of the
examples depends on the seed alone, not on the lengths of texts, which differ by arm; and the data type is not measured,
which may come out another way in each run."""
EXPLAIN_DEFAULTS: Values = {
    "parts": ("interventions",),
    "interventions": FOR_COMPARISONS,
    "num_importance": ("0",),
    "attention": ("0",),
}
"""What a study explains unless its recipe says otherwise: the parts that cost most are for single runs."""
_ASKED = ("model_name_or_path", "dataset", "data_path", "num_train", "num_validation", "num_test", "num_countries",
          "split_seed", "model_max_length", "use_calculator", "generation_backend", "per_device_eval_batch_size",
          "dtype", "on_device")  # fmt: skip
"""Options of `memreason train` that `memreason evaluate` needs to ask the base model the same questions."""
_ALIASES = {
    alias.removeprefix("--"): each.name
    for kind in (ModelConfig, DataConfig, TrainingOptions)
    for each in fields(kind)
    for alias in each.metadata.get("aliases", ())
}


class OptionCheck(Protocol):
    """Checks options as the commands themselves do, before anything runs."""

    def one(self, command: str, option: Option) -> None:
        """Raise UserError that names the option's file:line where the command has no such option or value."""

    def whole(self, command: str, argv: Sequence[str]) -> None:
        """Raise UserError where the options contradict each other."""

    def data(self, argv: Sequence[str]) -> DataConfig:
        """Which questions there are, by the options of `memreason train`."""


@dataclass(frozen=True)
class Step:
    """One command of a cell, in a process of its own. It is done when the cell's folder has the file ``mark``, which
    the command writes last, and those in ``beside``, each of them whole. ``argv`` begins with the command's name; `RUN`
    in it stands for the cell's folder."""

    argv: tuple[str, ...]
    mark: str
    beside: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command's name."""
        return self.argv[0]

    def arguments(self, run: str) -> list[str]:
        """The arguments of memreason, where the cell's folder is ``run``."""
        return [part.replace(RUN, run) for part in self.argv]

    def line(self, run: str) -> str:
        """The command as it is typed."""
        return shlex.join(["memreason", *self.arguments(run)])


@dataclass(frozen=True)
class Cell:
    """One run of one arm. ``seed`` is None for an untrained arm, whose answers depend on none; ``size`` is the number
    of training questions, None for all."""

    arm: str
    seed: int | None
    size: int | None
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The cell's folder below `runs/`: plain/seed-1, plain/size-200/seed-1, few-shot/once."""
        parts = [
            self.arm,
            f"size-{self.size}" if self.size else "",
            "once" if self.seed is None else f"seed-{self.seed}",
        ]
        return "/".join(part for part in parts if part)


def cells_of(recipe: Recipe, check: OptionCheck) -> list[Cell]:
    """The cells of a study, in the order in which they are started: each seed with all arms before the next seed, so
    that a study that is stopped early has every arm.

    Raises UserError that names file:line where a command would refuse its options.
    """
    for command, options in ((TRAIN, recipe.shared), (EXPLAIN, recipe.explain or ())):
        for option in options:
            check.one(command, option)
    for arm in recipe.arms:
        for option in arm.options:
            check.one(EVALUATE if arm.base else TRAIN, option)
    cells = [Cell(arm.name, None, None, _asked(recipe, arm)) for arm in recipe.arms if arm.base]
    for seed in recipe.seeds:
        for size in (None, *reversed(recipe.sizes)):
            cells += [
                Cell(arm.name, seed, size, _trained(recipe, arm, seed, size))
                for arm in recipe.arms
                if not arm.base and (size is None or arm.name in recipe.curve_arms)
            ]
    places = {arm.name: arm.place for arm in recipe.arms}
    _check_different(cells, places)
    checked: set[str] = set()
    for cell in cells:
        if cell.arm in checked:
            continue
        checked.add(cell.arm)
        for step in cell.steps:
            try:
                check.whole(step.command, step.arguments("run")[1:])
            except UserError as error:
                raise UserError(f"{places[cell.arm]}: arm {cell.arm}: {error}") from error
    return cells


def _check_different(cells: Sequence[Cell], places: Mapping[str, str]) -> None:
    """Raise UserError where two arms have the same commands: their runs would be the same."""
    first: dict[tuple[object, ...], str] = {}
    for cell in cells:
        commands = tuple(tuple(sorted(map(tuple, flagged(step.argv)))) for step in cell.steps)
        other = first.setdefault((cell.seed, cell.size, commands), cell.arm)
        if other != cell.arm:
            raise UserError(f"{places[cell.arm]}: arm {cell.arm} differs in nothing from {other}; leave one out")


def _asked(recipe: Recipe, arm: ArmRecipe) -> tuple[Step, ...]:
    """The command that asks an untrained arm."""
    shared = TRAIN_DEFAULTS | _values(recipe.shared)
    given: Values = {  # what `memreason train` takes where nothing is said
        "model_name_or_path": (ModelConfig.model_name_or_path,),
        "dataset": (DataConfig.dataset,),
        "num_test": (str(DataConfig.num_test),),
    }
    for name in _ASKED:
        if name in shared:
            given["device" if name == "on_device" else name] = shared[name]
    argv = [EVALUATE, *_flags(given | _values(arm.options)), "--output_dir", f"{RUN}/{EVALUATION}"]
    return (Step(tuple(argv), f"{EVALUATION}/{METRICS}", (f"{EVALUATION}/{TRACES}",)),)


def _trained(recipe: Recipe, arm: ArmRecipe, seed: int, size: int | None) -> tuple[Step, ...]:
    """The commands that train an arm, and explain its run where the recipe asks for that."""
    shared = _values(recipe.shared)
    given = TRAIN_DEFAULTS | shared | _values(arm.options)
    own: Values = {"seed": (str(seed),), "output_dir": (RUN,)}
    if size is not None:
        own = {"train_subset": (str(size),), **own}
    steps = [Step((TRAIN, *_flags(given | own), "--resume"), METRICS, (f"{EVALUATION}/{TRACES}",))]
    if recipe.explain is not None and size is None:
        device: Values = {"device": shared["on_device"]} if "on_device" in shared else {}
        asked = EXPLAIN_DEFAULTS | device | _values(recipe.explain)
        steps.append(Step((EXPLAIN, RUN, *_flags(asked)), f"{EXPLANATION}/{FIGURES}"))
    return tuple(steps)


def flagged(argv: Sequence[str]) -> list[list[str]]:
    """The parts of a command: each flag with its values."""
    groups: list[list[str]] = []
    for part in argv:
        if part.startswith("--") or not groups:
            groups.append([])
        groups[-1].append(part)
    return groups


def _values(options: Iterable[Option]) -> Values:
    """Name → values, without those that are null; a name has one spelling."""
    return {_ALIASES.get(option.name, option.name): option.values for option in options if option.values}


def _flags(values: Values) -> list[str]:
    return [part for name, given in values.items() for part in (f"--{name}", *given)]
