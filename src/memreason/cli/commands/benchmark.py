"""`memreason benchmark`: measures how fast training and generation are on this machine, and prints the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Any

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.runtime.terminal import show

WIDTH = 200
"""Columns. In fewer columns, rich would cut the rows; a narrower terminal wraps them instead."""
_CEILINGS = (
    ("matrix product in bfloat16", "bfloat16", "GFLOP/s"),
    ("in float32", "float32", "GFLOP/s"),
    ("copying memory", "bandwidth", "GB/s"),
)
_ON = {"process": "", "accelerator": " GPU"}

EXAMPLES = """Training: the same optimizer steps on the same examples, from the same base model with the same
planning tokens and adapters, by memreason, by transformers' Trainer with PEFT, and by TRL. Generation:
greedy answers to the same questions by the same weights, by memreason, by transformers' `generate` and
continuous batching, by llama.cpp and by vLLM. Tools that are not installed are left out and named. Each one
works in its own process, and they take turns (A B C A B C). A figure is the median over the rounds; the
smallest and the largest value follow in brackets.

Only real tokens count, no padding and no end tokens. "Of matrix rate" and "of bandwidth" compare with a
large matrix product and with copying memory, both measured in every round. Training needs 4 operations per
weight and token (forward, and backward through frozen weights), an answer needs 2. "Traces that differ"
compares the traces with those of one question at a time in the same data type; the traces of one question
at a time are compared with float32. Peak memory is that of the process, loading and libraries included. The
last column says how many times as fast memreason does the same work.

examples:
  memreason benchmark --quick                                               # does it work here?
  memreason benchmark --model_name_or_path runs/demo --output benchmark.json
  memreason benchmark --what training --only memreason trainer --dataset strategyqa --data_path data/agent
  memreason benchmark --what generation --model_name_or_path runs/demo --gguf demo.gguf
  memreason benchmark --model_name_or_path Qwen/Qwen2.5-7B --keep_loaded False    # one model in memory at a time
"""


def run(argv: Sequence[str]) -> int:
    """Measure, and print the tables; returns the exit code, 1 if nothing could be measured."""
    from memreason.benchmark.config import BenchmarkConfig

    (config,) = COMMAND.parse((BenchmarkConfig,), argv)
    quiet_transformers()
    from memreason.benchmark.run import run as run_benchmark

    result = run_benchmark(config)
    print_report(open_console(), result)
    measured = [row for section in config.what for row in result[section].values() if "seconds" in row]
    return 0 if measured else 1


def print_report(console: Console, result: dict[str, Any]) -> None:
    """Print the machine and its ceiling, a table for each section, and why contestants did not take part."""
    from memreason.benchmark.config import SECTIONS

    say = partial(show, Console(file=console.file, width=max(console.width, WIDTH), emoji=False))
    machine, work = result["machine"], result["work"]
    device = machine["gpu"] or f"{machine['processor']}, {machine['threads']} threads"
    say(f"{device} ({', '.join(machine['features']) or 'no features known'}), {result['options']['rounds']} rounds")
    say(", ".join(f"{name} {version}" for name, version in machine["versions"].items()))
    ceilings = result["ceiling"]
    if ceilings:
        say("; ".join(f"{name} {_ceiling([rates[key] for rates in ceilings], unit)}" for name, key, unit in _CEILINGS))
    for section in SECTIONS:
        if section not in result:
            continue
        say()
        say(_about(section, work))
        table = _table(section, result[section])
        if table.row_count:
            say(table)
        for row in result[section].values():
            if row["error"]:
                say(f"{row['title']}: {'stopped' if 'seconds' in row else 'not measured'}: {row['error']}")


def _ceiling(values: list[float], unit: str) -> str:
    return f"{median(values) / 1e9:,.0f} {unit} ({min(values) / 1e9:,.0f}–{max(values) / 1e9:,.0f})"


def _about(section: str, work: dict[str, Any]) -> str:
    if section == "training":
        return (
            f"training {work['training_from']}: {work['examples']} examples a turn, {work['example_tokens']:,} tokens, "
            f"the longest {work['longest_example']}"
        )
    return (
        f"generation by {work['model']}: {work['questions']} questions a turn, "
        f"{work['one_by_one']} of them one at a time; {work['limit']} tokens at most"
    )


def _table(section: str, rows: dict[str, Any]) -> Table:
    from memreason.benchmark.config import SECTIONS

    training = section == "training"
    first = next(iter(SECTIONS[section].values())).title
    table = Table(box=MARKDOWN)
    table.add_column(section, no_wrap=True)
    table.add_column("data type", no_wrap=True)
    for title in (
        "examples/s" if training else "questions/s",
        "tokens/s" if training else "written tokens/s",
        "of matrix rate",
        *(("first loss",) if training else ("of bandwidth", "traces that differ")),
        "peak memory",
        f"{first} is",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows.values():
        if "seconds" in row:
            own = f"{row['losses'][0]:.3f}" if training and row["losses"] else "–"
            cells = (own,) if training else (_share(row["share_of_bandwidth"]), _differing(row["traces"]))
            table.add_row(
                row["title"],
                row["dtype"],
                _figure(row["items_per_second"]),
                f"{row['tokens_per_second']['median']:,.0f}",
                _share(row["share_of_matrix_rate"]),
                *cells,
                " + ".join(f"{size / 2**30:.1f} GiB{_ON[kind]}" for kind, size in row["peak_memory"].items()),
                f"{_figure(row['ratio'])} ×" if row["ratio"] else "–",
            )
    return table


def _figure(spread: dict[str, float]) -> str:
    return f"{spread['median']:.2f} ({spread['min']:.2f}–{spread['max']:.2f})"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _differing(traces: dict[str, Any] | None) -> str:
    return "–" if traces is None else f"{traces['differ']} of {traces['compared']}"


COMMAND = Command(
    "benchmark",
    "measure how fast training and generation are on this machine, compared with other tools",
    EXAMPLES,
    run,
)
