"""What the engine is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

from memreason.generation.decoding import Decoding, FinishReason
from memreason.generation.samples import Sample, Token
from memreason.records import Question, Step, Trace


@dataclass(frozen=True)
class Request:
    """A question to answer, or an answer to continue."""

    question: Question
    steps: tuple[Step, ...] = ()
    """Steps that are already there; the answer goes on behind the last one."""
    generated: tuple[int, ...] = ()
    """Or: the ids that are already there; the answer goes on behind exactly these."""
    decoding: Decoding = Decoding()


@dataclass(frozen=True)
class Answer:
    """One answer to a request. Its ``trace`` begins with what the request gave."""

    sample: int
    """Which of the request's `n` answers, from 0."""
    trace: Trace
    tokens: tuple[Token, ...]
    """What was generated, without the end token."""
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    """How many ids were generated, the end token included."""


@dataclass(eq=False)
class Handle:
    """A request under way. ``answers`` has those that have ended, in the order in which they ended."""

    request: Request
    answers: list[Answer] = field(default_factory=list)
    error: BaseException | None = None
    """What broke the engine before the answers ended."""
    samples: list[Sample] = field(default_factory=list, repr=False)
    ended: Event = field(default_factory=Event, repr=False)

    @property
    def done(self) -> bool:
        """Whether all answers have ended."""
        return self.ended.is_set()

    def fail(self, error: BaseException) -> None:
        """Note what broke the engine."""
        self.error = error
        self.samples.clear()
        self.ended.set()

    def wait(self, timeout: float | None = None) -> list[Answer]:
        """Wait, while another thread steps, until all answers have ended; return them in the order of their numbers.

        Raises TimeoutError after ``timeout`` seconds, and what broke the engine."""
        if not self.ended.wait(timeout):
            raise TimeoutError(f"not answered within {timeout} seconds")
        if self.error:
            raise self.error
        return sorted(self.answers, key=lambda answer: answer.sample)

    def cancel(self) -> None:
        """End the answers before the next pass, and give their places to others."""
        for sample in list(self.samples):
            sample.cancelled = True
