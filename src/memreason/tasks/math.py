"""MATH (arXiv 2103.03874): competition problems; each sentence of a solution is one step.

The steps have no memory/reason labels, and formulas are never split. The answer is the content of the last
``\\boxed{…}`` in the solution; answers are compared as mathematics, not as text.
"""

from __future__ import annotations

import re
from typing import Any

from memreason.answers.latex import last_boxed
from memreason.tasks.assemble import Record, plain_steps
from memreason.tasks.fields import identifier
from memreason.tasks.published import Published
from memreason.tasks.sentences import sentences

FORM = '{"problem": …, "solution": "… \\\\boxed{…}"}'
SUBJECTS = ("algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
            "precalculus")  # fmt: skip
"""The names of the configs on the hub, and of the folders in the released form."""

_RELEASED = re.compile(r"(?:train|test)/\w+/\w+(?=\.json)")


def read_released(place: str, split: str, row: dict[str, Any]) -> Record | None:
    """A row ``{problem, level, type, solution}`` of the hub or of a JSONL file, or a released file, which is one row.

    The id is the path of the released file (train/algebra/17); rows of MATH-500 have it as ``unique_id``.
    """
    problem, solution = row.get("problem"), row.get("solution")
    if not isinstance(problem, str) or not isinstance(solution, str):
        return None
    released = _RELEASED.search(place)
    id_ = identifier(row.get("unique_id"), "unique_id").removesuffix(".json") or (released[0] if released else "")
    answer = row.get("answer")
    answer = last_boxed(solution) if answer in (None, "") else answer
    return Record(place, problem, (), answer, plain_steps(sentences(solution)), split or "train", id_)


load = Published("math", "math", "EleutherAI/hendrycks_math", FORM, read_released, SUBJECTS).load
