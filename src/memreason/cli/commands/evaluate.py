"""`memreason evaluate`: a checkpoint or a base model answers a dataset's questions; prints metrics and traces."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.runtime import distributed
from memreason.runtime.terminal import show, show_json

EXAMPLES = """examples:
  memreason evaluate --model_name_or_path runs/demo                # the checkpoint knows the rest
  memreason evaluate --model_name_or_path smollm2 --dataset atlas --k_shot 4 --output_dir runs/base
  memreason evaluate --model_name_or_path runs/demo --json         # for scripts
"""


def run(argv: Sequence[str]) -> None:
    """Evaluate, and print some traces and the metrics of each split, or the result with `--json`."""
    from memreason.config.commands import EvaluateConfig

    (config,) = COMMAND.parse((EvaluateConfig,), argv)
    distributed.start(config.device)
    quiet_transformers()
    from memreason.cli.display import print_metrics, print_traces, varied
    from memreason.evaluation.evaluate import evaluate

    console = open_console()
    result, verdicts, folder = evaluate(config)
    if config.json:
        if distributed.is_main():
            show_json(result.to_json())
    else:
        print_traces(console, varied(verdicts, config.show), config.show)
        for name, metrics in result.splits.items():
            show(console, name, style="bold")
            print_metrics(console, metrics)
        show(console, f"traces and metrics: {folder}")
    distributed.end()


COMMAND = Command(
    "evaluate",
    "answer a dataset's test questions with a checkpoint or a base model",
    EXAMPLES,
    run,
    ("[CHECKPOINT]", "model_name_or_path"),
    shared=True,
)
