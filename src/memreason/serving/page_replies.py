"""Answers → what the page is told: while they are written, as a whole, and as wordings of one step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memreason.generation.step_logprobs import step_logprobs
from memreason.generation.stream import TextPieces
from memreason.planning_tokens.names import ANSWER
from memreason.records import Step
from memreason.serving.live_trace import LiveTrace
from memreason.serving.replies import Json, TokenTexts, steps_of

if TYPE_CHECKING:
    from memreason.generation.request import Answer, Request
    from memreason.generation.samples import Token
    from memreason.serving.page_orders import PageReader


@dataclass
class PageWriter:
    """Tells of one answer while it is written: new ids, lines that are new or have grown, and the answer."""

    reader: PageReader
    texts: TokenTexts
    request: Request
    _tokens: list[Token] = field(default_factory=list)
    _ids: list[int] = field(default_factory=list)
    _told: tuple[Step, ...] = ()
    _whole: int = 0
    """How many steps were told with their log-probabilities."""

    def __post_init__(self) -> None:
        self._ids += self.request.generated
        self._given = self.reader.text(self._ids)
        self._live = LiveTrace(self.reader.unit.layout, self._given)
        self._pieces = TextPieces(self.reader.unit.tokenizer)
        self._live.add("")
        layout, steps = self.reader.unit.layout, self._live.now.steps
        whole = len(layout.read(self._live.whole_lines).steps)
        self._begun = whole if whole < len(steps) else None  # a step whose beginning is given

    def add(self, token: Token) -> None:
        """Take a token."""
        self._tokens.append(token)
        self._ids.append(token.id)
        self._live.add(self._pieces.add(token.id))

    def take(self) -> Json:
        """What was added since the last time; at first, all that is given."""
        steps, means = self._live.now.steps, self._means()
        changed = [
            {"index": i, **told}
            for i, told in enumerate(steps_of(steps, means))
            if i >= len(self._told) or steps[i] != self._told[i] or self._whole <= i < len(means)
        ]
        self._told, self._whole = steps, max(self._whole, len(means))
        ids, self._ids = self._ids, []
        return {"ids": ids, "steps": changed, "answer": self._live.now.answer}

    def _means(self) -> tuple[float | None, ...]:
        """The mean log-probabilities of the steps that are whole."""
        layout, text_of = self.reader.unit.layout, self.texts.__getitem__
        return self._known(step_logprobs(layout, text_of, self._live.whole_lines, self._given, self._tokens)[:-1])

    def _known(self, means: tuple[float | None, ...]) -> tuple[float | None, ...]:
        """Without that of a step of which only the end was generated: it says nothing of the whole."""
        return tuple(None if i == self._begun else mean for i, mean in enumerate(means))

    def end(self, answer: Answer) -> Json:
        """The answer as a whole: the page can do without all that came before."""
        trace = answer.trace
        means = self._known(trace.step_logprobs or ())
        return {
            "ids": list(trace.ids or ()),
            "steps": steps_of(trace.steps, means),
            "answer": trace.answer,
            "answer_logprob": means[-1] if means else None,
            "finish_reason": answer.finish_reason,
            "well_formed": trace.well_formed,
        }


def wordings_of(answers: Sequence[Answer], given: Sequence[int], step: int, marks: Sequence[int]) -> list[Json]:
    """The different wordings of one step in answers of which only this step was generated, the most likely first. The
    first answer is the greedy one, the others are drawn.

    ``given`` are the ids before it, ``marks`` ids that it had to begin with. A wording's probability is that of its
    line, its end included, behind these, under the model as it is; where the same text came by several ids, the sum of
    theirs. ``ids`` lead up to it and are those of its most likely spelling; ``logprob`` is the mean of theirs.
    ``drawn`` says how many of the drawn answers have this wording.
    """
    found: dict[Step, dict[tuple[int, ...], list[float]]] = {}
    drawn: dict[Step, int] = {}
    for number, answer in enumerate(answers):
        trace = answer.trace
        said = trace.steps[step] if len(trace.steps) > step else Step(ANSWER, trace.answer or "")
        if said.text:
            ids = tuple(token.id for token in answer.tokens)
            logprobs = [token.logprob or 0.0 for token in answer.tokens]
            found.setdefault(said, {})[ids] = logprobs[len(marks) if ids[: len(marks)] == (*marks,) else 0 :]
            drawn[said] = drawn.get(said, 0) + (number > 0)
    wordings = []
    for said, spellings in found.items():
        best = max(spellings, key=lambda ids: sum(spellings[ids]))
        wordings.append({
            "type": said.type,
            "text": said.text,
            "ids": [*given, *best],
            "probability": sum(math.exp(sum(logprobs)) for logprobs in spellings.values()),
            "logprob": sum(spellings[best]) / len(spellings[best]) if spellings[best] else None,
            "drawn": drawn[said],
        })  # fmt: skip
    return sorted(wordings, key=lambda wording: -wording["probability"])
