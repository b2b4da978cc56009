"""StrategyQA (arXiv 2101.02235): yes/no questions that do not name the steps to their answer.

In the agent-labelled form, the solutions have memory and reason steps. In the released form, each question has facts
about it; each fact is one step without a label.
"""

from __future__ import annotations

import re
from typing import Any

from memreason.tasks.assemble import Record, plain_steps
from memreason.tasks.fields import identifier, text_of, texts_of
from memreason.tasks.published import Published
from memreason.tasks.sentences import sentences

FORM = '{"question": …, "answer": true or false, "facts": […]}'

_VERDICT = re.compile(r"\s*(?:yes|no)\b\.?\s*", re.IGNORECASE)


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A released row, ``{qid?, question, answer: bool, facts?}``; the facts are a list or, on the hub, one text.

    The test questions were released without answers. An example of BIG-bench's strategyqa is read too: ``{input,
    target_scores: {Yes, No}, target: "Yes. The facts."}``.
    """
    scores = row.get("target_scores")
    if isinstance(scores, dict):
        target = text_of(row, "target")
        verdict = _VERDICT.match(target)
        steps = plain_steps(sentences(target[verdict.end() :] if verdict else target))
        best = [name for name, score in scores.items() if score == max(scores.values())]
        answer = best[0] if len(best) == 1 else None
        return Record(place, text_of(row, "input"), (), answer, steps, split or "train")
    if not isinstance(row.get("question"), str):
        return None
    if row.get("answer") is None and "qid" in row:
        return Record(place, row["question"], (), None, (), "unanswered", identifier(row["qid"], "qid"))
    if not isinstance(row.get("answer"), bool):
        return None
    facts = row.get("facts")
    steps = plain_steps(sentences(facts) if isinstance(facts, str) else texts_of(row, "facts") if facts else ())
    return Record(place, row["question"], (), row["answer"], steps, split or "train", identifier(row.get("qid"), "qid"))


load = Published("strategyqa", "boolean", "ChilleD/StrategyQA", FORM, read_released).load
