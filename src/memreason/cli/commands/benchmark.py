"""`memreason benchmark`: how fast training and generation are here, beside other ways to do the same."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.command import Command, open_console, quiet_transformers

EXAMPLES = """Training: the same optimizer steps on the same examples, from the same base model with the same
planning tokens and adapters, by memreason, by transformers' Trainer with PEFT, and by TRL. Generation:
greedy answers to the same questions by the same weights, by memreason, by transformers' `generate` and
continuous batching, by llama.cpp and by vLLM. What is not installed is left out and named. Everyone works
in a process of their own; turns go A B C A B C, figures are medians over the rounds, with the least and
the most behind them.

Tokens are real ones: padding and end tokens do not count. Shares are of the rates of a large matrix product and of
copying memory, measured in every round: a training step needs 4 operations a weight and token (forward, and backward
through frozen weights), an answer 2. Peak memory is the process's, loading and libraries included. The last column
says how many times as fast memreason does the same work. "Traces that differ" are counted against one question at a
time in the same data type; for that itself, against float32.

examples:
  memreason benchmark --quick                                               # does it work here?
  memreason benchmark --model_name_or_path runs/demo --output benchmark.json
  memreason benchmark --what training --only memreason trainer --dataset strategyqa --data_path data/agent
  memreason benchmark --what generation --model_name_or_path runs/demo --gguf demo.gguf
  memreason benchmark --model_name_or_path Qwen/Qwen2.5-7B --keep_loaded False    # one model in memory at a time
"""


def run(argv: Sequence[str]) -> int:
    """Measure, and print the table; 1 where nothing could be measured."""
    from memreason.benchmark.config import BenchmarkConfig

    (config,) = COMMAND.parse((BenchmarkConfig,), argv)
    quiet_transformers()
    from memreason.benchmark.run import run as run_benchmark

    result = run_benchmark(config, open_console())
    measured = [row for section in config.what for row in result[section].values() if "seconds" in row]
    return 0 if measured else 1


COMMAND = Command(
    "benchmark",
    "how fast training and generation are here, beside other ways to do the same work",
    EXAMPLES,
    run,
)
