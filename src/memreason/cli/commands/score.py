"""`memreason score`: metrics for texts that any model wrote; loads no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memreason.cli.command import Command, open_console
from memreason.runtime.terminal import say, show, show_json

if TYPE_CHECKING:
    from memreason.evaluation.score import Judging
    from memreason.explain.judges.config import JudgeConfig

EXAMPLES = """examples:
  memreason score --dataset strategyqa --data_path data/agent --generations texts.json
  memreason score --dataset atlas --num_countries 45 --num_train 800 --num_validation 60 --num_test 100 \\
      --generations runs/demo/evaluation/traces.jsonl
  memreason score --dataset strategyqa --data_path data/agent --generations logs/log.eval    # of Inspect
  memreason score --dataset strategyqa --data_path data/agent --generations texts.json --judge reference
"""


def run(argv: Sequence[str]) -> int:
    """Score a file of texts, and print the metrics and what was not matched, or the result with `--json`."""
    from memreason.config.commands import ScoreConfig
    from memreason.explain.judges.config import JudgeConfig

    config, judge = COMMAND.parse((ScoreConfig, JudgeConfig), argv)
    from memreason.cli.display import print_score
    from memreason.evaluation.score import score
    from memreason.llm.base import Stopped
    from memreason.tasks.registry import load_task

    sizes = {name: getattr(config, name) for name in ("num_train", "num_validation", "num_test", "num_countries")}
    task = load_task(
        config.dataset,
        config.data_path,
        seed=config.split_seed,
        sizes={name: size for name, size in sizes.items() if size is not None},
    )
    try:
        result, _, folder = score(
            task, config.generations, config.output_dir, config.split, _judging(judge) if judge.judge else None
        )
    except Stopped as stop:
        say(f"memreason score: stopped: {stop}; nothing was written, and the replies so far are in the request cache")
        return 3
    if config.json:
        show_json(result.to_json())
        return 0
    console = open_console()
    print_score(console, result)
    show(console, f"written to {folder}", style="dim", soft_wrap=True)
    return 0


def _judging(config: JudgeConfig) -> tuple[str, Judging]:
    from memreason.explain.judges.run import judge_traces_with

    return str(config.judge), lambda task, traces: judge_traces_with(config, task, traces)


COMMAND = Command("score", "score texts that any model wrote, without loading a model", EXAMPLES, run)
