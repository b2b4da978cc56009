"""StrategyQA (arXiv 2101.02235): yes/no questions whose steps are implicit."""

from __future__ import annotations

from typing import Any

from memreason.tasks.assemble import Record

FORM = '{"question": …, "answer": true or false}'


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A row ``{qid?, question, answer: bool, facts?}`` as released; its facts are no labelled steps."""
    if not isinstance(row.get("question"), str) or not isinstance(row.get("answer"), bool):
        return None
    return Record(place, row["question"], (), row["answer"], split=split or "train", id=str(row.get("qid") or ""))
