"""The command line: one subcommand per stage, in flow order. Imports a stage only to run it."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memreason.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

COMMANDS = {
    "tasks": "what datasets there are, with counts and an example",
    "step-types": "infer types for a dataset's unlabelled steps, and look at them",
    "train": "fine-tune a model on a dataset, evaluate it, and save a checkpoint",
    "evaluate": "answer a dataset's test questions with a checkpoint or a base model",
    "ask": "ask a checkpoint one question",
    "score": "score texts that any model wrote, without loading a model",
}

HELP = """usage: memreason COMMAND [options]

Language models that keep recalling facts and reasoning about them apart: every step they
write is marked, by trained planning tokens, as `memory` or `reason`.

commands, in the order of the work:
{commands}

a first run, on any laptop:
  memreason train --config recipes/demo.yaml
  memreason ask "Is Nairobi the capital of Kenya?" --model_name_or_path runs/demo

`memreason COMMAND --help` explains a command's options. Every option can also stand in a YAML
file: --config FILE; what stands on the command line wins.
"""

EXAMPLES = {
    "tasks": """examples:
  memreason tasks
  memreason tasks strategyqa --data_path data/agent
  memreason tasks gsm8k                              # from the hub; --data_path FOLDER for files
""",
    "step-types": """examples:
  memreason step-types fit --dataset gsm8k --data_path data/gsm8k --selection_method k-means --num_types 5
  memreason step-types show runs/step-types/gsm8k/smollm2/k-means-5
  memreason train --dataset gsm8k --data_path data/gsm8k --extract_step_type_tokens k-means --num_plan_types 5
""",
    "train": """examples:
  memreason train --config recipes/demo.yaml
  memreason train --dataset jsonl --data_path mine.jsonl --model_name_or_path Qwen/Qwen2.5-0.5B
  memreason train --dataset strategyqa --data_path data/agent --add_soft_prompts False   # the baseline
  memreason train --dataset gsm8k --extract_step_type_tokens none --use_calculator True
  memreason train --config recipes/demo.yaml --resume                                    # after a kill
""",
    "evaluate": """examples:
  memreason evaluate --model_name_or_path runs/demo                # the checkpoint knows the rest
  memreason evaluate --model_name_or_path smollm2 --dataset atlas --k_shot 4 --output_dir runs/base
""",
    "ask": """examples:
  memreason ask "Is Nairobi the capital of Kenya?"
  memreason ask "Which city is the capital of Japan?" --options Seoul Tokyo Beijing Osaka
""",
    "score": """examples:
  memreason score --dataset strategyqa --data_path data/agent --generations texts.json
  memreason score --dataset atlas --num_countries 45 --num_train 900 --num_validation 60 --num_test 100 \\
      --generations runs/demo/evaluation/traces.jsonl
""",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for the user's mistake, 1 for ours."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        listed = "\n".join(f"  {name:<10} {what}" for name, what in COMMANDS.items())
        print(HELP.format(commands=listed))
        return 0
    command, rest = arguments[0], arguments[1:]
    if command == "--version":
        from importlib.metadata import version

        print(f"memreason {version('memreason')}")
        return 0
    try:
        if command not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(command, COMMANDS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(f"unknown command {command!r}{hint} (commands: {', '.join(COMMANDS)})")
        # Fork-safety warnings of the tokenizers library are noise here: nothing forks after use.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        # Said by transformers to PEFT, not to the user.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        globals()[f"_{command.replace('-', '_')}"](rest)
    except UserError as error:
        print(f"memreason {command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        hint = "; the same command with --resume goes on from the last checkpoint" if command == "train" else ""
        print(f"memreason {command}: interrupted{hint}", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"memreason {command}: {_explain(error)}", file=sys.stderr)
        return 1
    return 0


def _explain(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        where = f" while writing {error.filename}" if error.filename else ""
        return (
            f"the disk is full{where}; no half-written file is left under a final name. "
            "Free some space and run again (train: with --resume)"
        )
    return f"{type(error).__name__}: {error}"


def _parse(command: str, types: tuple[type, ...], argv: Sequence[str]) -> tuple:
    from memreason.command_line import Parser

    return Parser(types, command, COMMANDS[command], EXAMPLES[command]).parse(argv)


def _console() -> Console:
    from rich.console import Console

    return Console()


def _quiet_transformers() -> None:
    """No bar for reading weights, which takes a moment, and no library's warnings among the answers."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _tasks(argv: Sequence[str]) -> None:
    from memreason.config import TasksConfig
    from memreason.task_table import print_task, print_tasks

    positional = [argv[0]] if argv and not argv[0].startswith("-") else []
    (config,) = _parse(
        "tasks", (TasksConfig,), [*(["--dataset", *positional] if positional else []), *argv[len(positional) :]]
    )
    if config.dataset:
        print_task(_console(), config.dataset, config.data_path)
    else:
        print_tasks(_console())


def _step_types(argv: Sequence[str]) -> None:
    from memreason.config import DataConfig
    from memreason.step_types.options import ShowStepTypesConfig, StepTypesConfig

    action, rest = (argv[0], list(argv[1:])) if argv else ("", [])
    if action not in ("fit", "show"):
        _parse("step-types", (StepTypesConfig, DataConfig), [a for a in argv if a in ("-h", "--help")])
        raise UserError("say fit or show: memreason step-types fit --dataset …, memreason step-types show FOLDER")
    _quiet_transformers()
    console = _console()
    if action == "fit":
        config, data = _parse("step-types", (StepTypesConfig, DataConfig), rest)
        from memreason.step_types.fit import fit

        folder, nearest = str(fit(config, data, console)), 3
    else:
        positional = ["--folder", rest.pop(0)] if rest and not rest[0].startswith("-") else []
        (shown,) = _parse("step-types", (ShowStepTypesConfig,), [*positional, *rest])
        if not shown.folder:
            raise UserError("the folder is missing: memreason step-types show runs/step-types/…")
        folder, nearest = shown.folder, shown.nearest
    from memreason.step_types.describe import print_fit

    print_fit(console, Path(folder), nearest)
    console.print(f"\npictures and all steps: {folder}", highlight=False)
    if action == "fit":
        number = f" --num_plan_types {config.num_types}" if config.selection_method != "+-*/" else ""
        place = f" --step_types_path {folder}" if config.output_dir or config.encoder else ""
        console.print(
            f"train with them: memreason train --extract_step_type_tokens {config.selection_method}{number}{place} …",
            highlight=False,
            soft_wrap=True,
        )


def _train(argv: Sequence[str]) -> None:
    from memreason.config import DataConfig, ModelConfig
    from memreason.training_config import UNNAMED, TrainingConfig

    model, data, training = _parse("train", (ModelConfig, DataConfig, TrainingConfig), argv)
    if training.output_dir == UNNAMED:
        training.output_dir = f"runs/{data.dataset}"
    from memreason.show import print_comparison, print_traces, varied
    from memreason.train import train

    console = _console()
    result, verdicts = train(model, data, training)
    print_traces(console, varied(verdicts, 4), 4)
    print_comparison(console, result)
    console.print(f"run folder: {training.output_dir}", highlight=False)


def _evaluate(argv: Sequence[str]) -> None:
    from memreason.config import EvaluateConfig

    (config,) = _parse("evaluate", (EvaluateConfig,), argv)
    _quiet_transformers()
    from memreason.evaluate import evaluate
    from memreason.show import print_metrics, print_traces, varied

    console = _console()
    result, verdicts, folder = evaluate(config)
    print_traces(console, varied(verdicts, config.show), config.show)
    for name, metrics in (result.get("splits") or {result["split"]: result}).items():
        console.print(f"[bold]{name}[/bold]")
        print_metrics(console, metrics)
    console.print(f"traces and metrics: {folder}", highlight=False)


def _ask(argv: Sequence[str]) -> None:
    import json

    from memreason.config import AskConfig

    question = argv[0] if argv and not argv[0].startswith("-") else None
    (config,) = _parse("ask", (AskConfig,), argv[1:] if question is not None else argv)
    if not question or not question.strip():
        raise UserError('the question is missing: memreason ask "Is Nairobi the capital of Kenya?"')
    _quiet_transformers()
    from memreason.reasoner import load, print_stream

    reasoner = load(config.model_name_or_path, base=config.base_model_name_or_path)
    if config.json:
        trace = reasoner.answer(question, options=config.options)
        steps = [{"type": step.type, "text": step.text} for step in trace.steps]
        print(
            json.dumps({"steps": steps, "answer": trace.answer, "well_formed": trace.well_formed}, ensure_ascii=False)
        )
    else:
        print_stream(_console(), reasoner, question, config.options)


def _score(argv: Sequence[str]) -> None:
    from memreason.config import ScoreConfig

    (config,) = _parse("score", (ScoreConfig,), argv)
    from memreason.score import score

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
