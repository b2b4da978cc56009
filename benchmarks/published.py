"""Scores the generations that the authors of arXiv 2411.13504 published again, and shows their figure beside ours.

python benchmarks/published.py path/to/published/*.json --data_path data/agent
python benchmarks/published.py path/to/published/*.json --data_path data/agent --output docs/study/published.json

A file is named dataset__model.json and holds [{"generated_text": …, "result": "correct" or "wrong"}, …].
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from memreason.compare.figures import of_two, right_or_wrong
from memreason.evaluation.score import Scored, score
from memreason.tasks.registry import load_task

SOURCE = "arXiv 2411.13504 (version 3), Table 1, rows “Ours”"
REPORTED = {
    ("strategyqa", "llama-2-7b-chat"): 0.706,
    ("commonsenseqa", "llama-2-7b-chat"): 0.711,
    ("truthfulqa", "llama-2-7b-chat"): 0.786,
    ("strategyqa", "llama-3.1-8b-instruct"): 0.780,
    ("commonsenseqa", "llama-3.1-8b-instruct"): 0.823,
    ("truthfulqa", "llama-3.1-8b-instruct"): 0.866,
    ("strategyqa", "qwen2.5-7b-instruct"): 0.786,
    ("commonsenseqa", "qwen2.5-7b-instruct"): 0.832,
    ("truthfulqa", "qwen2.5-7b-instruct"): 0.812,
}
"""(dataset, model) → the share of right answers that the paper reports."""


def rescored(path: Path, data_path: str | None) -> dict[str, Any]:
    """The figures of one file: ours, the authors' marks in it, both compared question by question, and the paper's."""
    dataset, _, model = path.stem.partition("__")
    task = load_task(dataset, data_path)
    with tempfile.TemporaryDirectory() as folder:
        scored = score(task, str(path), folder, "test")
    result = scored.result
    figures = result.splits["test"]
    return {
        "file": path.name,
        "dataset": dataset,
        "model": model,
        "questions": len(task.splits["test"]),
        "texts": figures.n,
        "missing": list(result.missing),
        "reported": REPORTED.get((dataset, model)),
        "marked": asdict(result.marked) if result.marked else None,
        "strict": {"value": figures.accuracy, "interval": list(figures.interval), "correct": figures.correct},
        "flexible": {"value": figures.flexible_accuracy, "interval": list(figures.flexible_interval)},
        "no_answer": figures.no_answer,
        "steps": figures.steps,
        "strict_against_marks": against_marks(scored, flexible=False),
        "flexible_against_marks": against_marks(scored, flexible=True),
    }


def against_marks(scored: Scored, flexible: bool) -> dict[str, Any] | None:
    """Our verdicts against the authors' marks on the same texts; None unless every text is marked."""
    marked = scored.result.marked
    if marked is None or marked.n != len(scored.verdicts):
        return None
    differing = set(marked.differing)
    strict = [verdict.outcome == "correct" for verdict in scored.verdicts]
    marks = [right ^ (v.trace.question.id in differing) for right, v in zip(strict, scored.verdicts, strict=True)]
    ours = [verdict.flexible_outcome == "correct" for verdict in scored.verdicts] if flexible else strict
    found = of_two(right_or_wrong("marks", marks), right_or_wrong("ours", ours))
    if found is None:
        return None
    return {
        "difference": found.difference,
        "interval": list(found.interval),
        "outcomes": asdict(found.outcomes) if found.outcomes else None,
        "p": found.mcnemar_p,
    }


def main() -> None:
    """Print a line for each file, and write them all where `--output` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--data_path", help="file or folder with the questions")
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    rows = [rescored(path, arguments.data_path) for path in arguments.files]
    print("| texts | the paper | the authors' marks | strict | flexible | marks that differ from strict |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {row['dataset']}, {row['model']} | {' | '.join(cells(row))} |")
    if arguments.output:
        content = {"format": 1, "source": SOURCE, "files": rows}
        arguments.output.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def cells(row: dict[str, Any]) -> list[str]:
    """The figures of one row in words, as the page of the study has them too."""
    marked, table = row["marked"], (row["strict_against_marks"] or {}).get("outcomes")
    return [
        "–" if row["reported"] is None else f"{row['reported']:.1%}",
        f"{marked['correct']} of {marked['n']}" if marked else "–",
        f"{row['strict']['value']:.1%} [{row['strict']['interval'][0]:.1%}, {row['strict']['interval'][1]:.1%}]",
        f"{row['flexible']['value']:.1%} [{row['flexible']['interval'][0]:.1%}, {row['flexible']['interval'][1]:.1%}]",
        f"{table['only_first'] + table['only_second']} of {marked['n']}" if table else "–",
    ]


if __name__ == "__main__":
    main()
