"""Questions to label, and what became of them, for the tests of whole labelling runs."""

import json
import os
import random
from pathlib import Path
from typing import Any

from rich.console import Console

from memreason.label.config import LabelConfig
from memreason.label.run import run
from memreason.label.solutions_and_rejects import RunFiles
from memreason.runtime.files import read_jsonl


def write_questions(path: Path, n: int) -> list[str]:
    """Write ``n`` yes/no questions, each about words of its own; returns their ids."""
    draw = random.Random(0)
    rows = []
    for i in range(n):
        words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(2)]
        rows.append({"id": f"q{i}", "question": f"Is {words[0]} a {words[1]}?", "answer": draw.random() < 0.5})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [row["id"] for row in rows]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file; none where it does not exist."""
    return [row for _, row in read_jsonl(path)] if path.exists() else []


def quiet_run(config: LabelConfig) -> RunFiles:
    """The files of a run whose messages nobody reads."""
    with open(os.devnull, "w") as nowhere:
        return run(config, Console(file=nowhere)).files
