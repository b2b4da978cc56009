"""StrategyQA (arXiv 2101.02235): yes/no questions whose steps are implicit.

Labelled by agents, its solutions have memory and reason steps. As released it has facts that bear
on the question: each is one step without a label.
"""

from __future__ import annotations

import re
from typing import Any

from memreason.tasks.assemble import Record, plain_steps
from memreason.tasks.sentences import sentences

FORM = '{"question": …, "answer": true or false, "facts": […]}'

_VERDICT = re.compile(r"\s*(yes|no)\.?\s*", re.IGNORECASE)


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A row ``{qid?, question, answer: bool, facts?}`` as released (facts: a list, or one text as on the hub).

    Or an example of BIG-bench's strategyqa: ``{input, target_scores: {Yes, No}, target: "Yes. The facts."}``.
    """
    if isinstance(row.get("target_scores"), dict):
        steps = plain_steps(sentences(_VERDICT.sub("", row["target"], count=1)))
        answer = max(row["target_scores"], key=row["target_scores"].get)
        return Record(place, row["input"], (), answer, steps, split or "train")
    if not isinstance(row.get("question"), str) or not isinstance(row.get("answer"), bool):
        return None
    facts: str | list[str] = row.get("facts") or []
    steps = plain_steps(sentences(facts) if isinstance(facts, str) else facts)
    return Record(place, row["question"], (), row["answer"], steps, split or "train", str(row.get("qid") or ""))
