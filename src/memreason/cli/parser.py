"""Reads flags and YAML recipes into dataclasses of options. The command line overrides a recipe."""

from __future__ import annotations

import ast
import re
from argparse import SUPPRESS, Action, ArgumentDefaultsHelpFormatter, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from shutil import get_terminal_size
from typing import Any, NoReturn

from transformers.hf_argparser import HfArgumentParser, string_to_bool

from memreason.config.recipes import find_recipe, read_recipe, recipe_names
from memreason.errors import UserError, did_you_mean
from memreason.tasks.registry import check_name

_EVALUATION = "evaluation here is by generation, in the weights' own data type, and has no such setting"
_KEYS = "keys are never taken from the command line; set the environment variable {} instead"
REFUSED = {
    "api_key": _KEYS.format("OPENAI_API_KEY, or the one that --api_key_env names,"),
    "hub_token": _KEYS.format("HF_TOKEN"),
    "push_to_hub": "publish the run when you have looked at it: memreason export RUN --to hub --push_to_hub NAME",
    "deepspeed": "not supported yet; it would save partial adapters",
    "fp16_full_eval": _EVALUATION,
    "bf16_full_eval": _EVALUATION,
    "eval_accumulation_steps": _EVALUATION,
    "prediction_loss_only": _EVALUATION,
    "include_for_metrics": _EVALUATION,
    "batch_eval_metrics": _EVALUATION,
    "resume_from_checkpoint": "say --resume: it finds the newest whole checkpoint of the run by itself",
    "hf_hub_token": _KEYS.format("HF_TOKEN"),
    "do_train": "`memreason train` trains and then evaluates; leave it out",
    "do_eval": "`memreason train` evaluates while and after it trains; leave it out",
    "do_predict": "`memreason train` ends with the test questions; leave it out",
    "trust_remote_code": "code that comes with a model is never run here; use a model that transformers knows itself",
}
ELSEWHERE = {
    "batch_size": ("per_device_train_batch_size", "per_device_eval_batch_size"),
    "base_model": ("base_model_name_or_path", "model_name_or_path"),
    "checkpoint": ("model_name_or_path",),
    "checkpoint_dir": ("model_name_or_path",),
    "config_file": ("config",),
    "data": ("data_path", "input", "dataset"),
    "data_dir": ("data_path",),
    "dataset_name": ("dataset", "task"),
    "epochs": ("num_train_epochs",),
    "file": ("data_path", "generations", "input"),
    "group_by_length": ("train_sampling_strategy",),
    "folder": ("output_dir", "model_name_or_path"),
    "input": ("data_path", "generations"),
    "load_in_4bit": ("int4_training",),
    "load_in_8bit": ("int8_training",),
    "lora_rank": ("lora_r",),
    "lr": ("learning_rate",),
    "max_seq_length": ("model_max_length",),
    "model": ("model_name_or_path", "planner"),
    "model_name": ("model_name_or_path", "planner"),
    "model_path": ("model_name_or_path",),
    "n_epochs": ("num_train_epochs",),
    "out": ("output_dir", "output"),
    "output": ("output_dir",),
    "output_dir": ("output",),
    "overwrite": ("overwrite_output_dir",),
    "path": ("data_path", "model_name_or_path"),
    "peft": ("parameter_efficient_mode",),
    "rank": ("lora_r",),
    "recipe": ("config",),
    "task": ("dataset",),
    "warmup_ratio": ("warmup_steps",),
}
"""An option's name in other tools or commands → its possible names here; the first that a command has is suggested."""
_WORDS = {**dict.fromkeys(("yes", "true", "t", "y", "1", "on"), True),
          **dict.fromkeys(("no", "false", "f", "n", "0", "off"), False)}  # fmt: skip
_NUMBERS = {"int": "whole number", "float": "number"}
_SHOWN_AS = {"on_device": "--device"}
"""Field → its flag, if the field cannot have the flag's name because TrainingArguments has a property of that name."""


def huggingface_options() -> frozenset[str]:
    """The names of the fields of transformers' TrainingArguments.

    They are read from its source, because importing it would import torch, which takes seconds.
    """
    package = find_spec("transformers")
    source = Path(str(package and package.origin)).with_name("training_args.py").read_text(encoding="utf-8")
    return frozenset(
        line.target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == "TrainingArguments"
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    )


class _Help(ArgumentDefaultsHelpFormatter, RawDescriptionHelpFormatter):
    """Shows only one spelling of each flag, and a default only if it is informative; 110 columns if unknown."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=32, width=get_terminal_size((110, 24)).columns - 2)

    def _format_action_invocation(self, action: Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        name = _SHOWN_AS.get(action.dest) or action.option_strings[0]
        value = "" if action.nargs in (0, "?") else f" {self._format_args(action, _metavar(action))}"
        return ("-h, --help" if name == "-h" else name) + value

    def _get_help_string(self, action: Action) -> str | None:
        silent = action.default in (None, "", False, SUPPRESS, []) or "default:" in (action.help or "")
        return action.help if silent else super()._get_help_string(action)


def _metavar(action: Action) -> str:
    if action.choices and len("".join(map(str, action.choices))) < 40:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return "N" if action.type is int else "X" if action.type is float else "TEXT"


class Parser(HfArgumentParser):
    """`HfArgumentParser` that also reads `--config recipe.yaml`, and fails with short, helpful errors.

    ``positional`` is (text in the usage line, name of the option), for a command that takes one option's value without
    its flag. ``others`` are names of options that this parser ignores, because another parser reads them.
    """

    def __init__(
        self,
        types: tuple[type, ...],
        command: str,
        description: str = "",
        positional: tuple[str, str] = ("", ""),
        others: frozenset[str] = frozenset(),
    ):
        shown, self._positional = positional
        super().__init__(
            types,  # type: ignore[arg-type]
            prog=f"memreason {command}",
            usage=f"memreason {command} {shown + ' ' if shown else ''}[--config RECIPE.yaml] [options]",
            description=description,
            formatter_class=_Help,
            allow_abbrev=False,
        )
        self._recipes = recipe_names(command) if command == "train" else []
        packaged = f", or a recipe of the package by its name ({', '.join(self._recipes)})" if self._recipes else ""
        self.add_argument(
            "--config",
            metavar="RECIPE.yaml",
            help=f"a file of options{packaged}; the command line overrides it",
        )
        for action in self._actions:
            if action.type is string_to_bool:
                action.type, action.nargs, action.const = _boolean, "?", True
            elif action.type is str and action.default != "":  # options with the default "" have their own check
                action.type = _text
            if action.option_strings and action.option_strings[0].startswith("--no_"):
                action.help = SUPPRESS
        self._ours = {action.dest for action in self._actions} - {"help", "config"}
        for name in others - self._ours:
            self.add_argument(f"--{name}", nargs="*", help=SUPPRESS)
        if {"on_device", "dtype"} <= self._ours:  # a training option, but readers look for it beside --dtype
            self._move("on_device", beside="dtype")

    def help_beyond(self, other: Parser) -> str:
        """The help of the options that ``other`` does not have."""
        formatter = self._get_formatter()
        formatter.start_section("the rest of Hugging Face's TrainingArguments")
        formatter.add_arguments([action for action in self._actions if action.dest in self._ours - other._ours])
        formatter.end_section()
        return formatter.format_help()

    def _move(self, name: str, beside: str) -> None:
        """In the help, show the option ``name`` after the option ``beside``, in the group of the latter."""
        for group in self._action_groups:
            group._group_actions = [action for action in group._group_actions if action.dest != name]
            for place, action in enumerate(group._group_actions):
                if action.dest == beside:
                    moved = next(each for each in self._actions if each.dest == name)
                    group._group_actions.insert(place + 1, moved)
                    break

    def error(self, message: str) -> NoReturn:
        """Raise UserError instead of printing the usage of two hundred flags."""
        message = re.sub(r"^argument --([\w-]+)\S*: ", lambda m: f"{_SHOWN_AS.get(m[1], '--' + m[1])}: ", message)
        message = re.sub(r"invalid (int|float) value: ('.*')$", lambda m: f"{m[2]} is no {_NUMBERS[m[1]]}", message)
        if choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message, re.DOTALL):
            message += did_you_mean(choice[1], [known.strip(" '") for known in choice[2].split(",")])
        if self._positional == "question" and "neither True nor False" in message:
            message += "; put the question before the flags"
        raise UserError(f"{message} (`{self.prog} --help` lists the flags)")

    def parse(self, argv: Sequence[str]) -> tuple[Any, ...]:
        """One object of each of the dataclasses, from a recipe (if `--config` is given) and the command line.

        The command line overrides the recipe. Raises UserError for an unknown flag or key, naming the nearest known
        one, and for a value of the wrong type; for a recipe with file and line.
        """
        arguments, recipe = _without_config(argv)
        arguments = [*(self._of_recipe(find_recipe(recipe, self._recipes)) if recipe is not None else ()), *arguments]
        for argument in arguments:
            if argument.startswith("--") and argument not in ("--help", "--"):
                self._check_flag(argument[2:].partition("=")[0])
        namespace, rest = self.parse_known_args(arguments)
        if rest:
            self._take_positional(namespace, rest)
        if dataset := getattr(namespace, "dataset", None):
            check_name(dataset)
        outputs = []
        for dtype in self.dataclass_types:
            names = {f.name for f in fields(dtype) if f.init}
            try:
                outputs.append(dtype(**{k: v for k, v in vars(namespace).items() if k in names}))
            except (ValueError, ImportError) as error:  # TrainingArguments' own checks
                raise UserError(str(error)) from error
        return tuple(outputs)

    def _take_positional(self, namespace: Any, words: list[str]) -> None:
        """Read the words that belong to no flag: one word, if the command takes one, or several, if it takes a list.
        Raises UserError for others."""
        name = self._positional
        default = self.get_default(name) if name else None
        free = name and getattr(namespace, name) == default
        is_recipe = name != "recipe" and Path(words[0]).suffix in (".yaml", ".yml")
        several = isinstance(default, list)
        if free and (several or len(words) == 1) and not is_recipe and not any(word.startswith("-") for word in words):
            setattr(namespace, name, words if several else words[0])
            return
        if name == "question":
            self.error(f'put the question in quotes: {self.prog} "{" ".join(w for w in words if w[:2] != "--")}"')
        hint = ""
        if is_recipe:
            hint = f"; a recipe is named by --config {words[0]}"
        elif name == "dataset":
            words, hint = words[-1:], f"; say where the data is with --data_path {words[-1]}"
        elif not words[0].startswith("-"):
            hint = "; every value must follow its flag, and a value with spaces must be in quotes"
        self.error(f"unexpected argument {words[0]!r}{hint}")

    def _check_flag(self, name: str, place: str = "") -> None:
        """Raise UserError if ``name`` is no option of the command; ``place`` is file:line if it is from a recipe."""
        plain = name.replace("-", "_")
        what = f"{place}: option {name}" if place else f"flag --{name}"
        if plain in REFUSED and not any(plain in kind.__annotations__ for kind in self.dataclass_types):
            raise UserError(f"{what}: {REFUSED[plain]}")
        known = [flag[2:] for flag in self._option_string_actions if flag.startswith("--")]
        if place and name in ("help", "config"):
            self.error(f"{place}: {name} is for the command line only; take it out")
        if name in known:
            return
        choices = [option for option in known if "-" not in option and not option.startswith("no_")]
        dashes = "" if place else "--"
        other = next((option for option in ELSEWHERE.get(plain, ()) if option in choices), None)
        hint = f"; say {dashes}{other}" if other else did_you_mean(name, choices, dashes)
        self.error(f"{place}: unknown option: {name}{hint}" if place else f"unknown {what}{hint}")

    def _of_recipe(self, path: Path) -> Iterator[str]:
        """The recipe as command-line arguments."""
        for place, name, values in read_recipe(path, self._recipes):
            yield from self.arguments(place, name, values)

    def arguments(self, place: str, name: str, values: Sequence[str]) -> list[str]:
        """One option of a recipe as command-line arguments; none for null, which has no ``values``.

        It is parsed by itself first. Raises UserError that begins with ``place``, its file:line.
        """
        self._check_flag(name, place)
        if not values:
            return []
        given = [f"--{name}", *values] if len(values) > 1 else [f"--{name}={values[0]}"]
        try:
            self.parse_known_args(given)
        except UserError as error:
            raise UserError(f"{place}: {error}") from error
        return given


def _without_config(argv: Sequence[str]) -> tuple[list[str], str | None]:
    """(the arguments without `--config FILE`, the file or None). Raises UserError for two files, and a missing one."""
    rest, recipe = list(argv), None
    for i in reversed(range(len(rest))):
        flag, equals, value = rest[i].partition("=")
        if flag != "--config":
            continue
        value = value if equals else (rest.pop(i + 1) if i + 1 < len(rest) else "")
        del rest[i]
        if not value or value.startswith("--"):
            raise UserError("--config: the file is missing; say --config RECIPE.yaml")
        if recipe is not None:
            raise UserError(f"--config {value} and --config {recipe}: give one recipe")
        recipe = value
    return rest, recipe


def _text(text: str) -> str:
    """``text``, if it is not empty. An empty path would mean the current folder, which is hardly meant.

    An unset variable of the shell gives such a value.
    """
    if not text.strip():
        raise ArgumentTypeError("the value is empty; give one, or leave the flag out")
    return text


def _boolean(text: str) -> bool:
    """True or False, in the spellings that people use."""
    if text.lower() not in _WORDS:
        raise ArgumentTypeError(f"{text!r} is neither True nor False{did_you_mean(text, ('True', 'False'))}")
    return _WORDS[text.lower()]
