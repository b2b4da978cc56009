"""Flags and YAML recipes → the options of `config.py`. What stands on the command line wins."""

from __future__ import annotations

import difflib
import json
from argparse import ArgumentDefaultsHelpFormatter, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import yaml
from transformers.hf_argparser import HfArgumentParser

from memreason.errors import UserError

POSITIONAL = {"ask": '"QUESTION" ', "tasks": "[NAME] ", "step-types": "fit|show FOLDER "}
_EVALUATION = "evaluation here is by generation, in the weights' own data type, and has no such setting"
_KEYS = "keys are never taken from the command line; set the environment variable {} instead"
REFUSED = {
    "api_key": _KEYS.format("OPENAI_API_KEY, or the one that --api_key_env names,"),
    "hub_token": _KEYS.format("HF_TOKEN"),
    "push_to_hub": "upload the run folder when you have looked at it: hf upload NAME FOLDER",
    "deepspeed": "not supported yet; it would save partial adapters",
    "fp16_full_eval": _EVALUATION,
    "bf16_full_eval": _EVALUATION,
    "eval_accumulation_steps": _EVALUATION,
    "prediction_loss_only": _EVALUATION,
    "include_for_metrics": _EVALUATION,
    "batch_eval_metrics": _EVALUATION,
    "resume_from_checkpoint": "say --resume: it finds the newest whole checkpoint of the run by itself",
    "hf_hub_token": _KEYS.format("HF_TOKEN"),
}


class _Help(ArgumentDefaultsHelpFormatter, RawDescriptionHelpFormatter):
    pass


class Parser(HfArgumentParser):
    """`HfArgumentParser` that reads `--config recipe.yaml`, and fails with short, helpful errors."""

    def __init__(self, types: tuple[type, ...], command: str, description: str, epilog: str):
        super().__init__(
            types,  # type: ignore[arg-type]
            prog=f"memreason {command}",
            usage=f"memreason {command} {POSITIONAL.get(command, '')}[--config RECIPE.yaml] [options]",
            description=f"{description}\n\n{epilog}",
            formatter_class=_Help,
        )
        self.add_argument("--config", metavar="RECIPE.yaml", help="a file of options; the command line wins")

    def error(self, message: str) -> NoReturn:
        """Raise UserError instead of printing the usage of two hundred flags."""
        raise UserError(f"{message} (`{self.prog} --help` lists the flags)")

    def parse(self, argv: Sequence[str]) -> tuple[Any, ...]:
        """Dataclasses from a recipe (if `--config` is given) and the command line, which wins.

        Raises UserError for an unknown flag or key, naming the nearest known one.
        """
        arguments = list(argv)
        for i, argument in enumerate(arguments):
            if argument == "--config" or argument.startswith("--config="):
                _, _, value = argument.partition("=")
                width = 1 if value else 2
                value = value or (arguments[i + 1] if i + 1 < len(arguments) else "")
                arguments = self._recipe(Path(value)) + arguments[:i] + arguments[i + width :]
                break
        for argument in arguments:
            if argument.startswith("--") and argument != "--help":
                self._check_flag(argument[2:].partition("=")[0], "flag --")
        namespace, rest = self.parse_known_args(arguments)
        if rest:
            self.error(f"unexpected argument {rest[0]!r}")
        outputs = []
        for dtype in self.dataclass_types:
            names = {f.name for f in fields(dtype) if f.init}
            try:
                outputs.append(dtype(**{k: v for k, v in vars(namespace).items() if k in names}))
            except (ValueError, ImportError) as error:  # TrainingArguments' own checks
                raise UserError(str(error)) from error
        return tuple(outputs)

    def _check_flag(self, name: str, what: str) -> None:
        if name in REFUSED:
            raise UserError(f"{what}{name}: {REFUSED[name]}")
        known = [flag[2:] for flag in self._option_string_actions if flag.startswith("--")]
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.error(f"unknown {what}{name}{hint}")

    def _recipe(self, path: Path) -> list[str]:
        """The recipe as command-line arguments."""
        try:
            recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"--config {path}: {error.strerror or error}") from error
        except yaml.YAMLError as error:
            raise UserError(f"--config {path}: not valid YAML: {error}") from error
        if not isinstance(recipe, dict):
            raise UserError(f"--config {path}: expected a mapping of option names to values")
        arguments: list[str] = []
        for key, value in recipe.items():
            self._check_flag(str(key), f"option in {path}: ")
            if value is not None:
                values = value if isinstance(value, list) else [value]
                arguments += [f"--{key}", *(json.dumps(v) if isinstance(v, dict) else str(v) for v in values)]
        return arguments
