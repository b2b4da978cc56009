"""`memreason score`: metrics for texts that any model wrote; loads no model."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.command import Command, open_console
from memreason.runtime.terminal import show, show_json

EXAMPLES = """examples:
  memreason score --dataset strategyqa --data_path data/agent --generations texts.json
  memreason score --dataset atlas --num_countries 45 --num_train 800 --num_validation 60 --num_test 100 \\
      --generations runs/demo/evaluation/traces.jsonl
  memreason score --dataset strategyqa --data_path data/agent --generations logs/log.eval    # of Inspect
"""


def run(argv: Sequence[str]) -> None:
    """Score a file of texts, and print the metrics and what was not matched, or the result with `--json`."""
    from memreason.config.commands import ScoreConfig

    (config,) = COMMAND.parse((ScoreConfig,), argv)
    from memreason.cli.display import print_score
    from memreason.evaluation.score import score

    sizes = {name: getattr(config, name) for name in ("num_train", "num_validation", "num_test", "num_countries")}
    result, _, folder = score(
        config.dataset,
        config.data_path,
        config.generations,
        config.output_dir,
        config.split,
        seed=config.split_seed,
        sizes={name: size for name, size in sizes.items() if size is not None},
    )
    if config.json:
        show_json(result.to_json())
        return
    console = open_console()
    print_score(console, result)
    show(console, f"written to {folder}", style="dim", soft_wrap=True)


COMMAND = Command("score", "score texts that any model wrote, without loading a model", EXAMPLES, run)
