"""One file per dataset, each turning its source into Solutions; here they meet under their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from memreason.records import Solution, Trace

AnswerKind = Literal["boolean", "choice", "mixed", "text"]
"""boolean: True/False; choice: a letter; mixed: a letter where the question has options, else
True/False; text: anything, compared after normalisation."""


@dataclass(frozen=True)
class Judgement:
    """A machine's reading of one trace: per step and for the answer line (last), is the memory true
    in the table, does the inference follow from what the trace states before it; None where the
    step could not be read. ``cause`` is for wrong answers: what went wrong first."""

    step_truth: tuple[bool | None, ...]
    cause: Literal["false_memory", "wrong_inference", "unreadable"] | None


@dataclass(frozen=True)
class TaskData:
    """A loaded dataset: its splits and how to score it.

    ``splits`` maps train / validation / test (or test_seen and test_unseen) to Solutions;
    ``notes`` say in plain words what blemishes were found while loading and what was done about
    each; ``judge`` reads a trace step by step where the facts are in a table, else None.
    """

    name: str
    answer_kind: AnswerKind
    splits: dict[str, list[Solution]]
    notes: tuple[str, ...] = ()
    judge: Callable[[Trace], Judgement] | None = None

    @property
    def test_splits(self) -> list[str]:
        """Names of the splits that are reported on after training."""
        return [name for name in self.splits if name.startswith("test")]
