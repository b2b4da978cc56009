"""GSM8K (arXiv 2110.14168): word problems that need a few calculations; each line of a solution is one step.

The steps have no memory/reason labels. Calculator marks, `<<48/2=24>>`, stay in the steps: for a model that learns to
write them, a calculator can fill in the results (`--use_calculator`).
"""

from __future__ import annotations

from typing import Any

from memreason.tasks.assemble import Record, plain_steps
from memreason.tasks.published import Published

FORM = '{"question": …, "answer": "a step\\nanother step\\n#### 72"}'


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A row of the released files, or of the configs main and socratic on the hub. The answer follows the last ####.

    In the socratic config each step begins with a question and two asterisks; both stay in the step.
    """
    question, answer = row.get("question"), row.get("answer")
    if not isinstance(question, str) or not isinstance(answer, str) or "####" not in answer:
        return None
    solution, _, final = answer.rpartition("####")
    return Record(place, question, (), final.strip(), plain_steps(solution.splitlines()), split or "train")


load = Published("gsm8k", "number", "openai/gsm8k", FORM, read_released, ("main",)).load
