"""`memreason train`: trains, evaluates and saves a model; prints traces, accuracies, and the next command to type."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from memreason.cli.command import Command, open_console
from memreason.records import Verdict
from memreason.runtime import distributed
from memreason.runtime.terminal import say, show

EXAMPLES = """examples:
  memreason train --config demo
  memreason train --dataset jsonl --data_path mine.jsonl --model_name_or_path Qwen/Qwen2.5-0.5B
  memreason train --dataset strategyqa --data_path data/agent --add_soft_prompts False   # the baseline
  memreason train --dataset gsm8k --extract_step_type_tokens none --use_calculator True
  memreason train --config demo --resume                                    # after a kill
  torchrun --standalone --nproc_per_node 8 -m memreason train --config llama-8b-eight-gpus   # on 8 GPUs

Below are memreason's own options and the most used ones of Hugging Face's TrainingArguments; --help-all
shows the rest of these too. A switch takes True or False (--add_soft_prompts False); alone it means True.
"""


def run(argv: Sequence[str]) -> None:
    """Train, evaluate, and print the result."""
    from memreason.cli.parser import huggingface_options
    from memreason.config.ablations import AblationConfig
    from memreason.config.data import DataConfig
    from memreason.config.model import ModelConfig
    from memreason.config.training import UNNAMED, TrainingOptions

    light = COMMAND.parser((ModelConfig, DataConfig, TrainingOptions, AblationConfig), huggingface_options())
    if "--help-all" not in argv:
        light.parse(argv)  # shows help and finds most mistakes before torch is imported, which takes seconds
    from memreason.training.config import TrainingConfig

    parser = COMMAND.parser((ModelConfig, AblationConfig, DataConfig, TrainingConfig))
    if "--help-all" in argv:
        light.print_help()
        say(f"\n{parser.help_beyond(light)}".rstrip("\n"), sys.stdout)
        return
    model, ablations, data, training = parser.parse(argv)
    if training.output_dir == UNNAMED:
        training.output_dir = f"runs/{data.dataset}"
    from memreason.cli.display import print_comparison, print_traces, varied
    from memreason.training.train import train

    console = open_console()
    result, verdicts = train(model, data, training, ablations)
    print_traces(console, varied(verdicts, 4), 4)
    print_comparison(console, result)
    show(console, f"run folder: {training.output_dir}")
    print_next(console, str(training.output_dir), verdicts)
    distributed.end()


def print_next(console: Console, run: str, verdicts: Iterable[Verdict]) -> None:
    """Print the command to type next: it asks the run's checkpoint a test question that it answered correctly."""
    without_options = [verdict for verdict in verdicts if not verdict.trace.question.options]
    correct = [verdict for verdict in without_options if verdict.outcome == "correct"]
    question = next((verdict.trace.question.text for verdict in (*correct, *without_options)), "…")
    command = f"{program()} ask {shlex.quote(question)} --model_name_or_path {shlex.quote(run)}"
    show(console, f"next: {command}", soft_wrap=True)


def program() -> str:
    """The command that starts memreason from the current folder: `memreason` if the shell finds it, else as called."""
    called = Path(sys.argv[0])
    if called.name != "memreason":
        return f"{_from_here(Path(sys.executable))} -m memreason"
    on_path = shutil.which("memreason")
    return "memreason" if on_path and Path(on_path).resolve() == called.resolve() else _from_here(called)


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


COMMAND = Command(
    "train",
    "fine-tune a model on a dataset, evaluate it, and save a checkpoint",
    EXAMPLES,
    run,
    shared=True,
    after_interrupt="; the same command with --resume goes on from the last checkpoint",
)
