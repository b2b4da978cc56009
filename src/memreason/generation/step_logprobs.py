"""The mean log-probability of each step of a trace, from those of its tokens."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from memreason.generation.samples import Token
from memreason.planning_tokens.layout import EACH_STEP, FRONT, PLAN_FIRST, PlanningTokens


def step_logprobs(
    layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase, text: str, given: str, tokens: Sequence[Token]
) -> tuple[float | None, ...]:
    """The mean log-probability of the tokens of each step of ``text``, and last that of the answer line.

    Planning tokens count, and so does the end of a line. ``given`` is the beginning of the text that was not generated;
    the others are the ``tokens``. None for a step without generated tokens, and where there is no answer line.
    """
    by_line: dict[int, list[float]] = {}
    line = given.count("\n")
    for token in tokens:
        if token.logprob is not None:
            by_line.setdefault(line, []).append(token.logprob)
        line += tokenizer.decode([token.id]).count("\n")
    means = {line: sum(values) / len(values) for line, values in by_line.items()}
    return tuple(None if line is None else means.get(line) for line in _lines(layout, text))


def _lines(layout: PlanningTokens, text: str) -> list[int | None]:
    """The number of the line of each step, and last that of the answer line; None where there is none."""
    steps, answer = layout.read(text)
    lines = text.split("\n")
    if layout.placement not in (EACH_STEP, FRONT):
        last = next((number for number, line in enumerate(lines) if answer and layout.read(line).answer), None)
        return [*(number + 1 if layout.placement == PLAN_FIRST else None for number in range(len(steps))), last]
    found: list[int | None] = []
    for number in range(len(lines)):
        before = layout.read("\n".join(lines[: number + 1]))
        if len(before.steps) > len(found):
            found.append(number)
        if before.answer and len(found) == len(steps):
            return [*found, number]
    return [*(found if len(found) == len(steps) else [None] * len(steps)), None]
