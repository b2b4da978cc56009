"""The command line: one subcommand per stage, in flow order. Imports a stage only to run it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memreason.cli.help import COMMANDS, EXAMPLES, FIRST_QUESTION, HELP
from memreason.errors import UserError, did_you_mean
from memreason.runtime import distributed
from memreason.runtime.interruptions import Ended, ended_by_signals, explain
from memreason.runtime.terminal import guard, say, show

if TYPE_CHECKING:
    from rich.console import Console

    from memreason.cli.parser import Parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for the user's mistake, 1 for ours."""
    with guard(), ended_by_signals():
        return _main(argv)


def _main(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    if not arguments or arguments[0] in ("-h", "--help"):
        listed = "\n".join(f"  {name:<10} {what}" for name, what in COMMANDS.items())
        say(HELP.format(commands=listed), sys.stdout)
        return 0
    command, rest = arguments[0], arguments[1:]
    if command == "--version":
        from importlib.metadata import version

        say(f"memreason {version('memreason')}", sys.stdout)
        return 0
    try:
        if command not in COMMANDS:
            hint = did_you_mean(command, COMMANDS)
            raise UserError(f"unknown command {command!r}{hint} (commands: {', '.join(COMMANDS)})")
        if distributed.launched():
            if command not in _SHARED:
                raise UserError(f"is a job for one process; start it without a launcher: memreason {command} …")
            distributed.say_when_ended(f"memreason {command}: {_ENDED}{_AFTER_INTERRUPT.get(command, '')}")
        _show_choices()
        # Fork-safety warnings of the tokenizers library are noise here: nothing forks after use.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch then asks for huge pages, for what is large
        # Said by transformers to PEFT, not to the user.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        return globals()[f"_{command.replace('-', '_')}"](rest) or 0
    except UserError as error:
        distributed.say_once(f"memreason {command}: {error}")
        return 2
    except KeyboardInterrupt as error:
        what = f"stopped by {error}" if isinstance(error, Ended) else "interrupted"
        distributed.say_once(f"memreason {command}: {what}{_AFTER_INTERRUPT.get(command, '')}")
        return 128 + (error.number if isinstance(error, Ended) else signal.SIGINT)
    except OSError as error:
        message, code = explain(error)
        distributed.say_once(f"memreason {command}: {message}")
        return code
    except RuntimeError as error:
        if not distributed.lost_another(error):
            raise
        hint = _AFTER_INTERRUPT.get(command, "")
        distributed.say_once(f"memreason {command}: {_ENDED}{hint}", if_nothing_was_said=True)
        return 1


class _Shown(logging.Handler):
    """Prints what is logged, as it is, and nothing twice: each epoch finds out the same about a model."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if (message := record.getMessage()) not in self.said and distributed.is_main():
            self.said.add(message)
            say(message)


def _show_choices() -> None:
    """Let be seen which data type was chosen, and which ways a model allows, and why not a faster one."""
    logger = logging.getLogger("memreason")
    logger.setLevel(logging.INFO)
    logger.handlers = [handler for handler in logger.handlers if not isinstance(handler, _Shown)] + [_Shown()]


_SHARED = ("train", "evaluate")
"""What several processes can do together."""
_ENDED = "stopped, because another process of the run has ended, or the launcher was told to stop"
_AFTER_INTERRUPT = {
    "train": "; the same command with --resume goes on from the last checkpoint",
    "label": "; the same command goes on from here",
}


def _parser(command: str, types: tuple[type, ...], others: frozenset[str] = frozenset()) -> Parser:
    from memreason.cli.parser import Parser

    first = command.split()[0]
    return Parser(types, command, COMMANDS[first], EXAMPLES.get(command, EXAMPLES[first]), others)


def _parse(command: str, types: tuple[type, ...], argv: Sequence[str]) -> tuple:
    return _parser(command, types).parse(argv)


def _console() -> Console:
    from rich.console import Console

    return Console(quiet=not distributed.is_main())


def _quiet_transformers() -> None:
    """No bar for reading weights, which takes a moment, and no library's warnings among the answers."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _tasks(argv: Sequence[str]) -> None:
    from memreason.cli.task_table import print_task, print_tasks
    from memreason.config.commands import TasksConfig

    if "--as_trained" in argv:
        _tasks_as_trained([argument for argument in argv if argument != "--as_trained"])
        return
    (config,) = _parse("tasks", (TasksConfig,), argv)
    print_task(_console(), config.dataset, config.data_path) if config.dataset else print_tasks(_console())


def _tasks_as_trained(argv: Sequence[str]) -> None:
    from memreason.config.ablations import VariantConfig
    from memreason.config.data import DataConfig
    from memreason.config.model import ModelConfig

    model, data, variants = _parse("tasks", (ModelConfig, DataConfig, VariantConfig), argv)
    _quiet_transformers()
    from memreason.training.preview import print_as_trained

    print_as_trained(_console(), model, data, variants)


def _label(argv: Sequence[str]) -> int:
    from memreason.llm.base import Stopped

    stages = {"inspect": _inspect, "convert": _convert}
    stage = stages.get(argv[0]) if argv else None
    try:
        return stage(argv[1:]) if stage else _label_questions(argv)
    except Stopped as stop:
        say(f"memreason label: stopped: {stop}; the same command goes on from here")
        return 3


def _label_questions(argv: Sequence[str]) -> int:
    from memreason.label.config import LabelConfig

    (config,) = _parse("label", (LabelConfig,), argv)
    _quiet_transformers()
    from memreason.label.run import run

    run(config, _console())
    return 0


def _inspect(argv: Sequence[str]) -> int:
    from memreason.label.config import InspectConfig

    (config,) = _parse("label inspect", (InspectConfig,), argv)
    from memreason.label.inspect import inspect

    inspect(config, _console())
    return 0


def _convert(argv: Sequence[str]) -> int:
    from memreason.label.convert import convert

    if argv in (["-h"], ["--help"]):
        say(EXAMPLES["label convert"].rstrip("\n"), sys.stdout)
        return 0
    if len(argv) != 2 or any(argument.startswith("-") for argument in argv):
        raise UserError("give two files: memreason label convert FROM TO (.jsonl is our form, .json the paper's)")
    for line in convert(*argv):
        say(line, sys.stdout)
    return 0


def _step_types(argv: Sequence[str]) -> None:
    from memreason.config.data import DataConfig
    from memreason.step_types.config import ShowStepTypesConfig, StepTypesConfig

    action, rest = (argv[0], list(argv[1:])) if argv else ("", [])
    if action not in ("fit", "show"):
        _parse("step-types", (StepTypesConfig, DataConfig), [a for a in argv if a in ("-h", "--help")])
        hint = did_you_mean(action, ("fit", "show"))
        raise UserError(f"say fit or show: `step-types fit --dataset …`, `step-types show FOLDER`{hint}")
    _quiet_transformers()
    console = _console()
    if action == "fit":
        config, data = _parse("step-types", (StepTypesConfig, DataConfig), rest)
        from memreason.step_types.fit import fit

        folder, nearest = str(fit(config, data, console)), 3
    else:
        (shown,) = _parse("step-types show", (ShowStepTypesConfig,), rest)
        if not shown.folder:
            raise UserError("the folder is missing: memreason step-types show runs/step-types/…")
        folder, nearest = shown.folder, shown.nearest
    from memreason.step_types.describe import print_fit, print_next

    print_fit(console, Path(folder), nearest)
    print_next(console, folder, config if action == "fit" else None)


def _train(argv: Sequence[str]) -> None:
    from memreason.cli.parser import huggingface_options
    from memreason.config.ablations import VariantConfig
    from memreason.config.data import DataConfig
    from memreason.config.model import ModelConfig
    from memreason.config.training import UNNAMED, TrainingOptions

    light = _parser("train", (ModelConfig, DataConfig, TrainingOptions, VariantConfig), huggingface_options())
    if "--help-all" not in argv:
        light.parse(argv)  # help and most mistakes, without the seconds that importing torch takes
    from memreason.training.config import TrainingConfig

    parser = _parser("train", (ModelConfig, VariantConfig, DataConfig, TrainingConfig))
    if "--help-all" in argv:
        light.print_help()
        say(f"\n{parser.help_beyond(light)}".rstrip("\n"), sys.stdout)
        return
    model, variants, data, training = parser.parse(argv)
    if training.output_dir == UNNAMED:
        training.output_dir = f"runs/{data.dataset}"
    from memreason.cli.display import print_comparison, print_next, print_traces, varied
    from memreason.training.train import train

    console = _console()
    result, verdicts = train(model, data, training, variants)
    print_traces(console, varied(verdicts, 4), 4)
    print_comparison(console, result)
    show(console, f"run folder: {training.output_dir}")
    print_next(console, str(training.output_dir), verdicts)
    distributed.end()


def _evaluate(argv: Sequence[str]) -> None:
    from memreason.config.commands import EvaluateConfig

    (config,) = _parse("evaluate", (EvaluateConfig,), argv)
    distributed.start(config.device)
    _quiet_transformers()
    from memreason.cli.display import print_metrics, print_traces, varied
    from memreason.evaluation.evaluate import evaluate

    console = _console()
    result, verdicts, folder = evaluate(config)
    print_traces(console, varied(verdicts, config.show), config.show)
    for name, metrics in (result.get("splits") or {result["split"]: result}).items():
        show(console, name, style="bold")
        print_metrics(console, metrics)
    show(console, f"traces and metrics: {folder}")
    distributed.end()


def _ask(argv: Sequence[str]) -> None:
    from memreason.config.commands import AskConfig

    (config,) = _parse("ask", (AskConfig,), argv)
    question = config.question
    if not question.strip():
        raise UserError(f'the question is missing: memreason ask "{FIRST_QUESTION}"')
    _quiet_transformers()
    from memreason.reasoner import load, print_json, print_stream

    reasoner = load(config.model_name_or_path, base=config.base_model_name_or_path, device=config.device)
    if config.json:
        print_json(reasoner, question, config.options)
    else:
        print_stream(_console(), reasoner, question, config.options)


def _score(argv: Sequence[str]) -> None:
    from memreason.config.commands import ScoreConfig

    (config,) = _parse("score", (ScoreConfig,), argv)
    from memreason.evaluation.score import score

    asked = {name: getattr(config, name) for name in ("num_train", "num_validation", "num_test", "num_countries")}
    score(
        config.dataset,
        config.data_path,
        config.generations,
        config.output_dir,
        config.split,
        seed=config.split_seed,
        sizes={name: size for name, size in asked.items() if size is not None},
    )


def _benchmark(argv: Sequence[str]) -> int:
    from memreason.benchmark.config import BenchmarkConfig

    (config,) = _parse("benchmark", (BenchmarkConfig,), argv)
    _quiet_transformers()
    from memreason.benchmark.run import run

    result = run(config, _console())
    measured = [row for section in config.what for row in result[section].values() if "seconds" in row]
    return 0 if measured else 1
