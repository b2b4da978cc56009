"""The recipe of a study: a YAML file that lists arms, seeds, and the options that all arms share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from memreason.compare.measures import MEASURES
from memreason.config.recipes import compose, find_recipe, options_of, recipe_names
from memreason.errors import UserError, did_you_mean
from memreason.runtime.files import listed

STEPS, TOKENS, NOTHING = "steps", "tokens", "nothing"
MATCHES = (STEPS, TOKENS, NOTHING)
"""What every trained arm gets as much of: optimizer steps, training tokens, or neither (then it is only told)."""
KEYS = ("title", "arms", "seeds", "sizes", "curve_arms", "baseline", "match", "shared", "explain", "splits",
        "measures", "cluster", "by", "reported")  # fmt: skip
BASE = "base"
"""The key of an arm that is the untrained base model."""
_OWN = ("seed", "output_dir", "resume", "overwrite_output_dir", "train_subset")
"""Options that the study sets for each run."""
_DATA = ("dataset", "data_path", "split_seed", "num_train", "num_validation", "num_test", "num_countries")
"""Options that decide which questions there are: the same for every arm."""
_BUDGET = ("num_train_epochs", "max_steps", "num_train_tokens", "per_device_train_batch_size",
           "gradient_accumulation_steps")  # fmt: skip
"""Options that decide how long a run is trained: with another value, an arm gets more or fewer steps."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class Option:
    """One option of a command: its values as on the command line, and the file:line where it stands."""

    name: str
    values: tuple[str, ...]
    place: str


@dataclass(frozen=True)
class ArmRecipe:
    """One arm. ``base``: the untrained model, which `memreason evaluate` asks; else `memreason train` trains it."""

    name: str
    place: str
    base: bool
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Recipe:
    """A study as its recipe says. ``text`` is the recipe's own text; ``title`` stands over the tables.

    ``sizes`` are smaller numbers of training questions, on which ``curve_arms`` are trained as well; ``reported`` are
    figures that others have published: arm → split → share of right answers.
    """

    path: Path
    text: str
    title: str
    arms: tuple[ArmRecipe, ...]
    seeds: tuple[int, ...]
    sizes: tuple[int, ...] = ()
    curve_arms: tuple[str, ...] = ()
    baseline: str = ""
    match: str = STEPS
    shared: tuple[Option, ...] = ()
    explain: tuple[Option, ...] | None = None
    splits: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    cluster: str | None = None
    by: str | None = None
    reported: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem


def find_study(name: str) -> Path:
    """The file that `memreason study NAME` means: a file of that name, else the package's recipe."""
    return find_recipe(name, recipe_names("study"))


def read_study(path: Path) -> Recipe:
    """Read a recipe. Raises UserError that names file:line of what is wrong; the values of options are checked later,
    by the commands that they belong to."""
    document = compose(path, "the study", recipe_names("study"))
    reader = _Reader(path, {str(key.value): (key, value) for key, value in document.value})
    return reader.recipe(path.read_text(encoding="utf-8-sig"))


class _Reader:
    """Reads the parts of a recipe; ``parts`` has the YAML nodes of each key and its value."""

    def __init__(self, path: Path, parts: Mapping[str, tuple[yaml.Node, yaml.Node]]):
        self.path, self.parts = path, parts
        for name, (key, _) in parts.items():
            if name not in KEYS:
                raise UserError(f"{self.at(key)}: unknown key {name}{did_you_mean(name, KEYS)} ({listed(KEYS, 99)})")

    def recipe(self, text: str) -> Recipe:
        shared = self.options("shared", self.node("shared"))
        _check_names(shared, _OWN, "the study sets it for each run; leave it out")
        arms = self.arms()
        match = self.one_of("match", MATCHES, STEPS)
        for arm in arms:
            self.check_arm(arm, match)
        names = [arm.name for arm in arms]
        trained = [arm.name for arm in arms if not arm.base]
        recipe = Recipe(
            path=self.path,
            text=text,
            title=self.text("title") or self.path.stem,
            arms=tuple(arms),
            seeds=tuple(self.numbers("seeds", 0) or [42]),
            sizes=self.sizes(shared),
            curve_arms=tuple(self.some_of("curve_arms", trained, "arm that is trained") or trained),
            baseline=self.one_of("baseline", names, names[0]),
            match=match,
            shared=tuple(shared),
            explain=tuple(self.options("explain", self.node("explain"))) if "explain" in self.parts else None,
            splits=tuple(self.texts("splits")),
            measures=tuple(self.some_of("measures", MEASURES, "measure")),
            cluster=self.text("cluster"),
            by=self.text("by"),
            reported=self.reported(names),
        )
        if match == TOKENS and "num_train_tokens" not in {option.name for option in shared}:
            place = self.at(self.parts["match"][0])
            raise UserError(
                f"{place}: match: tokens needs num_train_tokens under shared: the tokens that each arm gets"
            )
        return recipe

    def at(self, node: yaml.Node) -> str:
        return f"{self.path}:{node.start_mark.line + 1}"

    def node(self, name: str) -> yaml.Node | None:
        return self.parts[name][1] if name in self.parts else None

    def options(self, what: str, node: yaml.Node | None) -> list[Option]:
        if node is None or _is_null(node):
            return []
        if not isinstance(node, yaml.MappingNode):
            raise UserError(f"{self.at(node)}: {what}: expected options, a line `name: value` for each")
        return [Option(name, tuple(values), place) for place, name, values in options_of(self.path, node)]

    def arms(self) -> list[ArmRecipe]:
        node = self.node("arms")
        if not isinstance(node, yaml.MappingNode) or not node.value:
            raise UserError(
                f"{self.at(node) if node else self.path}: arms are missing; name at least one, with the options in "
                "which it differs: `plain: {add_soft_prompts: false}`"
            )
        arms = []
        for key, value in node.value:
            place = self.at(key)
            if not isinstance(key, yaml.ScalarNode) or not _NAME.fullmatch(key.value):
                raise UserError(f"{place}: an arm's name is a folder's name: letters, digits and . _ + -")
            options = self.options(f"arm {key.value}", value)
            base = [option for option in options if option.name == BASE]
            if base and base[0].values not in (("true",), ("True",)):
                raise UserError(f"{base[0].place}: base: can only be true; leave it out for an arm that is trained")
            arms.append(
                ArmRecipe(key.value, place, bool(base), tuple(option for option in options if option.name != BASE))
            )
        return arms

    def check_arm(self, arm: ArmRecipe, match: str) -> None:
        _check_names(arm.options, _OWN, "the study sets it for each run; leave it out")
        _check_names(arm.options, _DATA, "every arm is asked and taught the same; put it under shared")
        if match != NOTHING and not arm.base:
            _check_names(
                arm.options, _BUDGET, f"every arm is trained for as long (match: {match}); put it under shared, or say "
                "match: nothing"
            )  # fmt: skip

    def scalar(self, name: str) -> tuple[str, str] | None:
        """(file:line, text) of a key with one value; None where it is not there, or null."""
        node = self.node(name)
        if node is None or _is_null(node):
            return None
        if not isinstance(node, yaml.ScalarNode):
            raise UserError(f"{self.at(node)}: {name}: expected one value")
        return self.at(node), node.value

    def text(self, name: str) -> str | None:
        found = self.scalar(name)
        return found[1] if found else None

    def one_of(self, name: str, choices: Sequence[str], default: str) -> str:
        found = self.scalar(name)
        if found and found[1] not in choices:
            raise UserError(
                f"{found[0]}: {name}: {found[1]} is none of {listed(choices, 99)}{did_you_mean(found[1], choices)}"
            )
        return found[1] if found else default

    def items(self, name: str) -> list[tuple[str, str]]:
        """(file:line, text) of each item of a list; a single value is a list of one."""
        node = self.node(name)
        if node is None or _is_null(node):
            return []
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(each, yaml.ScalarNode) for each in nodes):
            raise UserError(f"{self.at(node)}: {name}: expected a list: {name}: [first, second]")
        found = [(self.at(each), each.value) for each in nodes]
        for number, (place, value) in enumerate(found):
            if value in [other for _, other in found[:number]]:
                raise UserError(f"{place}: {name}: {value} stands there twice")
        return found

    def texts(self, name: str) -> list[str]:
        return [value for _, value in self.items(name)]

    def some_of(self, name: str, choices: Collection[str], what: str) -> list[str]:
        for place, value in self.items(name):
            if value not in choices:
                hint = did_you_mean(value, choices)
                raise UserError(f"{place}: {name}: {value} is no {what} ({listed(choices, 99)}){hint}")
        return self.texts(name)

    def numbers(self, name: str, least: int) -> list[int]:
        found: list[int] = []
        for place, value in self.items(name):
            number = self.number(name, place, value, int, least)
            if number in found:  # 1 and 01
                raise UserError(f"{place}: {name}: {number} stands there twice")
            found.append(number)
        return found

    def sizes(self, shared: Sequence[Option]) -> tuple[int, ...]:
        """The sizes, each below the number of all training questions, which `shared` may say."""
        sizes = sorted(self.numbers("sizes", 1))
        whole = [option.values[0] for option in shared if option.name == "num_train" and option.values]
        if sizes and whole and whole[0].isdecimal() and sizes[-1] >= int(whole[0]):
            place = self.at(self.parts["sizes"][1])
            raise UserError(
                f"{place}: sizes: {sizes[-1]} must be below num_train ({whole[0]}), which every arm gets too"
            )
        return tuple(sizes)

    def number(self, name: str, place: str, value: str, kind: Callable[[str], Any], least: float) -> Any:
        try:
            number = kind(value)
        except ValueError:
            raise UserError(f"{place}: {name}: {value} is no {'whole ' if kind is int else ''}number") from None
        if not number >= least:
            raise UserError(f"{place}: {name}: {value} must be at least {least}")
        return number

    def reported(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        node = self.node("reported")
        if node is None or _is_null(node):
            return {}
        expected = "expected `arm: {split: 0.78}`, with the share of right answers that others report"
        if not isinstance(node, yaml.MappingNode):
            raise UserError(f"{self.at(node)}: reported: {expected}")
        reported: dict[str, dict[str, float]] = {}
        for key, value in node.value:
            if not isinstance(value, yaml.MappingNode) or str(key.value) not in names:
                raise UserError(f"{self.at(key)}: reported: {expected}; the arms are {listed(names, 99)}")
            for split, figure in value.value:
                number = self.number("reported", self.at(figure), str(figure.value), float, 0)
                if number > 1:
                    raise UserError(f"{self.at(figure)}: reported: {figure.value}: a share is at most 1 (0.78, not 78)")
                reported.setdefault(key.value, {})[str(split.value)] = number
        return reported


def _check_names(options: Sequence[Option], refused: Sequence[str], why: str) -> None:
    for option in options:
        if option.name in refused:
            raise UserError(f"{option.place}: option {option.name}: {why}")


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"
