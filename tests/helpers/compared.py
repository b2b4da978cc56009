"""Answers to compare: files of traces that a test writes in one line, and the sides that are read from them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from memreason.compare.pairing import Paired, Pairing, pair
from memreason.compare.sides import Side, read_side
from memreason.runtime.files import write_jsonl

ROW: dict[str, Any] = {
    "options": [],
    "dataset": "made",
    "gold": "True",
    "steps": [{"type": "memory", "text": "A fact."}, {"type": "reason", "text": "So."}],
    "well_formed": True,
    "truncated": False,
    "step_truth": None,
    "cause": None,
    "step_kinds": None,
    "grounds": None,
}


def row(number: int, outcome: str = "correct", **more: Any) -> dict[str, Any]:
    """A line of traces.jsonl: the answer to the question q<number>, of the split test where no other is given."""
    answer = {"correct": "True", "incorrect": "False", "no_answer": None}[outcome]
    said = {"answer": answer, "strict": answer, "flexible": answer, "outcome": outcome, "flexible_outcome": outcome}
    said["generated_text"] = f"<memory_0> A fact.\n<reason_0> So.\n<answer_0> The answer is: {answer}"
    return {**ROW, "id": f"q{number}", "question": f"Is {number} so?", "split": "test", **said, **more}


def rows(right: str) -> list[dict[str, Any]]:
    """A line for each sign: 1 right, 0 wrong, - no answer."""
    outcomes = {"1": "correct", "0": "incorrect", "-": "no_answer"}
    return [row(number, outcomes[sign]) for number, sign in enumerate(right)]


def traces(path: Path, answers: str | Sequence[Mapping[str, Any]]) -> Path:
    """Write a traces.jsonl of these rows, or of what `rows` makes of a text."""
    write_jsonl(path, [dict(each) for each in (rows(answers) if isinstance(answers, str) else answers)])
    return path


def side(folder: Path, name: str, *runs: str | Sequence[Mapping[str, Any]]) -> Side:
    """A side with these runs."""
    return read_side(name, [traces(folder / f"{name}-{number}.jsonl", run) for number, run in enumerate(runs)])


def paired(folder: Path, how: Pairing | None = None, **sides: str | Sequence[Mapping[str, Any]]) -> Paired:
    """Sides of one run each, paired."""
    return pair([side(folder, name, run) for name, run in sides.items()], how or Pairing())
