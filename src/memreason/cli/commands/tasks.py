"""`memreason tasks`: shows all datasets, or one of them, or the texts that training makes of it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.errors import UserError
from memreason.runtime.terminal import show

EXAMPLES = """examples:
  memreason tasks
  memreason tasks strategyqa --data_path data/agent
  memreason tasks gsm8k                              # from the hub; --data_path FOLDER for files
  memreason tasks jsonl --data_path mine.jsonl --as_trained --plan_first True      # the text that training reads
"""


AS_TRAINED = {"--as_trained", "--as_trained=True", "--as_trained=true"}
"""Told apart before the options are read, because it allows others."""


def run(argv: Sequence[str]) -> None:
    """List the datasets, or show one."""
    from memreason.cli.task_table import print_task, print_tasks
    from memreason.config.commands import TasksConfig

    if AS_TRAINED & {*argv}:
        _show_as_trained([argument for argument in argv if argument not in AS_TRAINED])
        return
    (config,) = COMMAND.parse((TasksConfig,), argv)
    if config.as_trained:
        raise UserError("as_trained: give it on the command line, as --as_trained, and not in a recipe")
    if config.dataset:
        print_task(open_console(), config.dataset, config.data_path)
    else:
        print_tasks(open_console())


def _show_as_trained(argv: Sequence[str]) -> None:
    from memreason.config.ablations import AblationConfig
    from memreason.config.data import DataConfig
    from memreason.config.model import ModelConfig

    model, data, ablations = COMMAND.parse((ModelConfig, DataConfig, AblationConfig), argv)
    quiet_transformers()
    from memreason.training.preview import training_texts

    console = open_console()
    for prompt, target in training_texts(model, data, ablations, console):
        show(console, Text(prompt, style="dim"), end="", soft_wrap=True)
        show(console, target, soft_wrap=True)
        show(console, "─" * 40, style="dim")
    show(console, "dim: the prompt, without loss; below it what is learned, with the end token after it", style="dim")


COMMAND = Command(
    "tasks", "list the datasets, or show one with its counts and an example", EXAMPLES, run, ("[NAME]", "dataset")
)
