"""Runs on disk to browse, made of hand-written verdicts."""

import json
from pathlib import Path

from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Question, Step, Verdict
from memreason.runtime.files import write_json, write_jsonl

LAYOUT = PlanningTokens(1, 1, ("memory", "reason"))


def row(
    id_="q1", text="Is Lyon old?", *, answer="True", gold="True", steps=("memory Lyon is Roman.",), cause=None, **more
) -> dict:  # fmt: skip
    """One line of traces.jsonl; each of ``steps`` begins with its type."""
    question = Question(id_, text, gold, dataset=more.pop("dataset", "made"), split=more.pop("split", "test"))
    made = tuple(Step(*step.split(" ", 1)) for step in steps)
    trace = LAYOUT.parse(question, LAYOUT.solution_text(made, answer), False)
    outcome = "correct" if answer == gold else "incorrect"
    verdict = Verdict(trace, answer, answer, outcome, outcome, tuple([True] * (len(made) + 1)), cause)
    return {**json.loads(json.dumps(verdict.to_json())), **more}


def atlas(family: str, number: int, **more) -> dict:
    return row(f"atlas-test-{family}-{number:06d}", f"Is {number} the {family}?", dataset="atlas", **more)


def write(folder: Path, *rows: dict) -> Path:
    """An evaluation's folder with these traces."""
    write_jsonl(folder / "traces.jsonl", rows)
    return folder


def run(folder: Path, after: list[dict], before: list[dict] = (), epochs: list[list[dict]] = ()) -> Path:
    """A run's folder."""
    write(folder / "evaluation", *after)
    if before:
        write(folder / "before", *before)
    for number, rows in enumerate(epochs, 1):
        write(folder / "epochs" / f"epoch-{number}", *rows)
    write_json(folder / "memreason.json", {})
    return folder


def explain(folder: Path, **parts) -> None:
    """Put an explanation into a run's folder."""
    write_json(folder / "explanation" / "explanation.json", {"format": 1, **parts})
