"""What sampling, constraints and log-probabilities cost: python benchmarks/decoding.py runs/demo

All ways take turns over the same questions, round by round, in one process and one data type; figures are medians over
the rounds. `generate` draws eight samples of each question in batches of as many rows, as transformers does it alone:
its rate is that of eight separate questions. All rates are in answers a second; the last two columns are ratios to
greedy answers and to `generate` with samples.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from transformers import GenerationConfig
from transformers.utils import logging

from memreason.benchmark.ceiling import synchronize
from memreason.benchmark.machine import describe
from memreason.config.run import read_config
from memreason.generation.decoding import Decoding
from memreason.generation.engine import Engine
from memreason.generation.options import GenerationOptions
from memreason.generation.request import Request
from memreason.models.load import load
from memreason.models.unit import ModelUnit
from memreason.records import AnswerKind, Question
from memreason.runtime.allocator import keep_freed_memory
from memreason.tasks.load import load_data

SAMPLES = 8
WARM = Decoding(temperature=1.0, n=SAMPLES)


def engine(unit: ModelUnit, batch_size: int, kind: AnswerKind, decoding: Decoding) -> Callable[[list[Question]], int]:
    """Answers questions by the engine; returns how many answers there are."""

    def answer(questions: list[Question]) -> int:
        with Engine(unit, GenerationOptions(batch_size), kind) as engine:
            handles = [engine.submit(Request(question, decoding=decoding)) for question in questions]
            engine.run()
        return sum(len(handle.answers) for handle in handles)

    return answer


def generate(unit: ModelUnit, batch_size: int, n: int) -> Callable[[list[Question]], int]:
    """Answers questions by transformers' `generate`: greedily, or with ``n`` samples of each."""

    def answer(questions: list[Question]) -> int:
        prompts = sorted((unit.layout.encode_prompt(unit.tokenizer, question) for question in questions), key=len)
        prompts = [prompt for prompt in prompts for _ in range(n)]
        for start in range(0, len(prompts), batch_size):
            rows = prompts[start : start + batch_size]
            width = max(map(len, rows))
            pad = unit.tokenizer.pad_token_id
            ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=unit.device)
            mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=unit.device)
            settings = GenerationConfig(
                do_sample=n > 1, top_k=0, max_new_tokens=unit.manifest.model_max_length - width,
                eos_token_id=unit.end_id, pad_token_id=pad,
            )  # fmt: skip
            with unit.merged() as model, torch.inference_mode():
                model.generate(ids, attention_mask=mask, generation_config=settings)
        return len(prompts)

    return answer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--questions", type=int, default=64, help="greedy; an eighth of them where samples are drawn")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    keep_freed_memory()
    task = load_data(read_config(arguments.checkpoint).data)
    unit = load(arguments.checkpoint)
    questions = [s.question for name in task.test_splits for s in task.splits[name]][: arguments.questions]
    few = questions[::SAMPLES]
    size, kind = arguments.batch_size, task.answer_kind
    ways: dict[str, tuple[Callable[[list[Question]], int], list[Question]]] = {
        "greedy": (engine(unit, size, kind, Decoding()), questions),
        "greedy, constrained": (engine(unit, size, kind, Decoding(constrained=True)), questions),
        "greedy, log-probabilities": (engine(unit, size, kind, Decoding(logprobs=True)), questions),
        "generate, greedy": (generate(unit, size, 1), questions),
        f"{SAMPLES} samples": (engine(unit, size, kind, WARM), few),
        f"{SAMPLES} samples, constrained": (
            engine(unit, size, kind, Decoding(temperature=1.0, n=SAMPLES, constrained=True)), few
        ),
        f"generate, {SAMPLES} samples": (generate(unit, size, SAMPLES), few),
    }  # fmt: skip
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(arguments.rounds + 1):
        for name, (answer, asked) in ways.items():
            synchronize()
            start = time.perf_counter()
            count = answer(asked)
            synchronize()
            if round_:  # the first round warms up
                rates[name].append(count / (time.perf_counter() - start))
    table = Table("way", "answers/s", "of greedy", f"of generate, {SAMPLES} samples")
    for name, found in rates.items():
        ratios = [
            statistics.median(a / b for a, b in zip(found, rates[other], strict=True))
            for other in ("greedy", f"generate, {SAMPLES} samples")
        ]
        table.add_row(name, f"{statistics.median(found):.2f}", *(f"{ratio:.2f}" for ratio in ratios))
    console = Console()
    console.print(table)
    machine = describe()
    console.print(
        f"{arguments.checkpoint.name}, {unit.manifest.dtype}, {machine['processor']}, {machine['threads']} threads"
    )


if __name__ == "__main__":
    main()
