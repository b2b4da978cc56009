"""Solutions → training examples: token ids, and labels in which the prompt has no loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from memreason.errors import UserError
from memreason.generation.few_shot import Demonstrations
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Solution
from memreason.training.dataset import Columns, Examples, fingerprint, in_memory, load_or_build

_AT_ONCE = 1000
"""How many solutions are tokenised together."""


@dataclass(frozen=True)
class EncodingReport:
    """How many solutions are trained on, with how many tokens, and the ids of those that are left out, by reason."""

    examples: int
    tokens: int
    too_long: tuple[str, ...]
    without_steps: tuple[str, ...]

    def lines(self, model_max_length: int) -> list[str]:
        """The report in words, for people."""
        text = [f"{self.examples} training solutions, {self.tokens / self.examples:.0f} tokens each on average"]
        if self.too_long:
            text.append(
                f"left out {len(self.too_long)} solutions longer than --model_max_length {model_max_length} "
                f"(cutting them would cut off the answer): {_some(self.too_long)}"
            )
        if self.without_steps:
            text.append(f"left out {len(self.without_steps)} questions without a solution: {_some(self.without_steps)}")
        return text


def encode_solutions(
    solutions: Sequence[Solution],
    layout: PlanningTokens,
    tokenizer: PreTrainedTokenizerBase,
    model_max_length: int,
    demonstrations: Demonstrations | None = None,
    folder: Path | None = None,
    progress: str | None = None,
) -> tuple[Examples, EncodingReport]:
    """Encode the solutions that fit. A text longer than ``model_max_length`` tokens is left out, never cut.

    ``demonstrations`` choose the solved examples that stand before each question, in its prompt. With a ``folder``, the
    examples are kept there on disk, and a later call with the same arguments reads them from there; without one, they
    are kept in memory, 4 bytes for each token. ``progress`` is the title of a progress bar, which appears if encoding
    takes more than 2 s. Raises UserError where no solution is left.
    """

    def batches() -> Iterator[Columns]:
        return _encoded(solutions, layout, tokenizer, model_max_length, demonstrations, progress)

    if folder is None:
        examples = in_memory(batches())
    else:
        key = fingerprint(solutions, layout, tokenizer, model_max_length, demonstrations)
        examples = load_or_build(folder, key, batches)
    encoded = np.zeros(len(solutions), dtype=bool)
    encoded[examples.solutions] = True
    too_long: list[str] = []
    without_steps: list[str] = []
    for i in np.flatnonzero(~encoded).tolist():
        (too_long if solutions[i].steps else without_steps).append(solutions[i].question.id)
    tokens = int(examples.lengths.sum())
    return examples, EncodingReport(len(examples), tokens, tuple(too_long), tuple(without_steps))


def _encoded(
    solutions: Sequence[Solution],
    layout: PlanningTokens,
    tokenizer: PreTrainedTokenizerBase,
    model_max_length: int,
    demonstrations: Demonstrations | None,
    progress: str | None,
) -> Iterator[Columns]:
    with_steps = examples = 0
    with tqdm(total=len(solutions), desc=progress, disable=progress is None, delay=2, leave=False) as bar:
        for start in range(0, len(solutions), _AT_ONCE):
            portion = solutions[start : start + _AT_ONCE]
            indices = [start + i for i, solution in enumerate(portion) if solution.steps]
            some = [solution for solution in portion if solution.steps]
            with_steps += len(some)
            shown = [demonstrations(solution.question) if demonstrations else () for solution in some]
            indexed = zip(indices, layout.encode_all(tokenizer, some, shown), strict=True)
            whole = [(i, encoded) for i, encoded in indexed if len(encoded.ids) <= model_max_length]
            yield {
                "input_ids": [encoded.ids for _, encoded in whole],
                "prompt_length": [encoded.prompt_length for _, encoded in whole],
                "solution": [i for i, _ in whole],
            }
            examples += len(whole)
            bar.update(len(portion))
    if not examples:
        raise UserError(
            f"no training example is left of {len(solutions)} solutions: {with_steps} are longer than "
            f"--model_max_length {model_max_length}, {len(solutions) - with_steps} have no steps"
        )


def _some(ids: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")
