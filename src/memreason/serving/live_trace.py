"""Reading an answer while it is written: which text belongs to a step, which to the answer, and which step is whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memreason.generation.stops import held_back
from memreason.planning_tokens.layout import EACH_STEP, FRONT, PlanningTokens
from memreason.planning_tokens.names import ANSWER
from memreason.planning_tokens.parse import Parsed
from memreason.planning_tokens.prompt import ANSWER_PHRASE
from memreason.records import PLAIN, Step


@dataclass(frozen=True)
class News:
    """What came to light: new text of the steps and of the answer, and steps that are whole now."""

    reasoning: str = ""
    content: str = ""
    steps: tuple[Step, ...] = ()
    first: int = 0
    """The number of the first of these steps."""


class LiveTrace:
    """The trace in a text that grows.

    ``text`` is where it begins: the first general tokens, and what the request gave. ``stops`` are texts that end the
    answer; nothing that may be the beginning of one is told before it is clear that it is none. All that is told,
    put together, is what `PlanningTokens.read` finds in the whole text, the texts of the steps joined by newlines.
    """

    def __init__(self, layout: PlanningTokens, text: str, stops: Sequence[str] = ()):
        self._layout, self._text, self._stops = layout, text, stops
        self._by_line = layout.placement in (EACH_STEP, FRONT)  # else the types stand on the first line only
        self._line = 0  # where the line begins that is being written
        self._answered = False
        self._steps: tuple[Step, ...] = ()
        self.now = Parsed((), None)
        """The steps and the answer as far as they are clear; the last step may still be growing."""
        self._reasoning, self._content, self._told_steps = "", "", 0

    @property
    def whole_lines(self) -> str:
        """The text up to the end of the last line that is whole."""
        return self._text[: self._line]

    def add(self, piece: str) -> News:
        """What a further piece of text brings."""
        self._text += piece
        if self._answered:  # nothing behind the answer line is read
            return News()
        seen = len(self._text) - held_back(self._text, self._stops)
        end = self._text.rfind("\n", self._line, seen) + 1
        answer = None
        if end:
            lines = self._text[self._line if self._by_line else 0 : end - 1]
            steps, answer = self._layout.read(lines)
            self._steps = (*self._steps, *steps) if self._by_line else steps
            self._answered = self._layout.read(f"{lines} ?").answer is not None
            self._line = end
        whole = self._steps if all(step.text for step in self._steps) else ()
        begun = None
        if self._by_line and not self._answered:
            begun, answer = self._begun_line(self._text[self._line : seen])
        self.now = Parsed((*whole, begun) if begun else whole, answer)
        return self._news("\n".join(step.text for step in self.now.steps), answer or "", whole)

    def end(self, steps: Sequence[Step], answer: str | None) -> News:
        """What the whole trace brings beyond what was told."""
        return self._news("\n".join(step.text for step in steps if step.text), answer or "", tuple(steps))

    def _begun_line(self, line: str) -> tuple[Step | None, str | None]:
        """(the step, the answer) as far as they are clear on a line that is not yet at its end."""
        steps, answer = self._layout.read(line)
        if answer or not steps:
            return None, answer
        kind, text = steps[0].type, steps[0].text
        could_be_answer = kind in (ANSWER, PLAIN) and ANSWER_PHRASE.startswith(text)
        could_be_mark = text[:1] in ("<", "[") and not set(text) & {">", "]"}
        return (None if could_be_answer or could_be_mark or not text else steps[0]), None

    def _news(self, reasoning: str, content: str, steps: tuple[Step, ...]) -> News:
        fresh = steps[self._told_steps :]
        news = News(grown(self._reasoning, reasoning), grown(self._content, content), fresh, self._told_steps)
        self._reasoning += news.reasoning
        self._content += news.content
        self._told_steps = max(self._told_steps, len(steps))
        return news


def grown(told: str, now: str) -> str:
    """What ``now`` has beyond what was told; nothing where it does not go on from there."""
    return now[len(told) :] if now.startswith(told) else ""
