"""A benchmark's work that takes no time: a dozen solutions of different lengths, and as many questions."""

import json
from pathlib import Path
from typing import Any

from memreason.benchmark.config import BenchmarkConfig
from memreason.records import MEMORY, REASON, Question, Solution, Step
from memreason.tasks.jsonl import export_jsonl


def solution(i: int, split: str) -> Solution:
    question = Question(f"{split}-{i}", f"Is {'very ' * (i % 6)}{split} {i} even?", str(i % 2 == 0), split=split)
    return Solution(question, (Step(MEMORY, f"{i} ends in {i % 10}."), Step(REASON, "So it is" + " indeed" * (i % 5))))


def write_data(folder: Path, train: int = 24, test: int = 10) -> Path:
    for split, count in (("train", train), ("test", test)):
        export_jsonl([solution(i, split) for i in range(count)], folder / f"{split}.jsonl")
        rows = [json.loads(line) | {"split": split} for line in (folder / f"{split}.jsonl").read_text().splitlines()]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def small(base: Path, data: Path, **options: Any) -> BenchmarkConfig:
    """Two steps of eight examples and five questions, in texts of at most 160 tokens."""
    usual: dict[str, Any] = dict(
        model_name_or_path=str(base), dataset="jsonl", data_path=str(data), model_max_length=160, rounds=2,
        train_steps=2, examples_per_step=8, questions=5, one_by_one=2, per_device_eval_batch_size=3,
    )  # fmt: skip
    return BenchmarkConfig(**usual | options)
