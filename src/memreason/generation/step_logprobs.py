"""The mean log-probability of each step of a trace, from those of its tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from memreason.answers.thoughts import without_thoughts
from memreason.generation.samples import Token
from memreason.planning_tokens.layout import PLAN_FIRST, PLAN_ONLY, PlanningTokens
from memreason.planning_tokens.parse import leading_marks
from memreason.planning_tokens.prompt import ANSWER_PHRASE


def step_logprobs(
    layout: PlanningTokens, text_of: Callable[[int], str], text: str, given: str, tokens: Sequence[Token]
) -> tuple[float | None, ...]:
    """The mean log-probability of the tokens of each step of ``text``, and last that of the answer line.

    What marks a line, planning tokens or a word in brackets, does not count, so that models with other marks, or with
    none, can be compared; the end of a line counts. ``given`` is the beginning of the text that was not generated; the
    rest are the ``tokens``; ``text_of`` gives the text of an id. None for a step without such tokens, and where there
    is no answer line.
    """
    by_line: dict[int, list[float]] = {}
    marks = layout.marks
    marked = [_written(leading_marks(line, marks)) for line in text.split("\n")]
    line, read = given.count("\n"), _written(given.rpartition("\n")[2])
    for token in tokens:
        piece = text_of(token.id)
        is_mark = line < len(marked) and read < marked[line]
        if token.logprob is not None and math.isfinite(token.logprob) and not is_mark:  # 16 bits can overflow
            by_line.setdefault(line, []).append(token.logprob)
        line += piece.count("\n")
        read = _written(piece.rpartition("\n")[2]) + (0 if "\n" in piece else read)
    means = {line: sum(values) / len(values) for line, values in by_line.items()}
    return tuple(None if line is None else means.get(line) for line in step_lines(layout, text))


def _written(text: str) -> int:
    """The number of characters without white space, which some tokenizers add or leave out."""
    return len("".join(text.split()))


def step_lines(layout: PlanningTokens, text: str) -> list[int | None]:
    """The number of the line of each step, and last that of the answer line; None where there is none, and where the
    text holds thoughts, which are no lines of steps."""
    steps, answer = layout.read(text)
    lines = text.split("\n")
    plan = layout.read(lines[0]).steps if layout.placement in (PLAN_FIRST, PLAN_ONLY) else ()
    found: list[int | None] = []
    last: int | None = None
    if plan and not plan[0].text:  # else the text has no plan
        answers = [i for i, line in enumerate(lines) if i and line.strip().startswith(ANSWER_PHRASE)]
        last = next((i for i in answers if i > len(plan)), answers[0] if answers else None)
        found = [i for i, line in enumerate(lines[:last]) if i and line.strip()]
    elif without_thoughts(text) == text:
        for number, line in enumerate(lines):
            read = layout.read(line)
            if read.answer and len(found) == len(steps):
                last = number
                break
            found += [number] if read.steps else []
    found = found[: len(steps)]
    return [*found, *[None] * (len(steps) - len(found)), last if answer else None]
