"""One answer as the chunks of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from memreason.generation.step_logprobs import step_logprobs
from memreason.generation.stops import held_back
from memreason.generation.stream import TextPieces
from memreason.serving.live_trace import LiveTrace, News, grown
from memreason.serving.replies import Json, TokenTexts, steps_of

if TYPE_CHECKING:
    from memreason.generation.decoding import Decoding
    from memreason.generation.request import Answer
    from memreason.generation.samples import Token
    from memreason.models.unit import ModelUnit


class Writer(Protocol):
    """Turns what comes of one answer into the choices of chunks."""

    def begin(self) -> Json:
        """The first choice, before any token."""

    def add(self, token: Token) -> None:
        """Take a token."""

    def take(self) -> list[Json]:
        """The choices for what was added since the last time."""

    def end(self, answer: Answer) -> list[Json]:
        """The last choices."""


@dataclass
class Background:
    """What the writers of one stream share. ``given`` is the text that the answers begin with."""

    unit: ModelUnit
    texts: TokenTexts
    decoding: Decoding
    given: str


@dataclass
class ChatWriter:
    """Writes answer number ``index`` as chat chunks: texts of steps and of the answer, and steps that are whole."""

    index: int
    shared: Background
    _tokens: list[Token] = field(default_factory=list)
    _told: int = 0
    _delta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pieces = TextPieces(self.shared.unit.tokenizer)
        self._live = LiveTrace(self.shared.unit.layout, self.shared.given, self.shared.decoding.stop)

    def begin(self) -> Json:
        """The role, and the steps that the request gave."""
        self._delta = {"role": "assistant", "content": ""}
        self._note(self._live.add(""))
        return self._choice()

    def add(self, token: Token) -> None:
        """Take a token."""
        self._tokens.append(token)
        self._note(self._live.add(self._pieces.add(token.id)))

    def take(self) -> list[Json]:
        """A choice with all that was added, if it says anything."""
        wants = self.shared.decoding.wants_logprobs and self._told < len(self._tokens)
        return [self._choice()] if self._delta or wants else []

    def end(self, answer: Answer) -> list[Json]:
        """What was held back, and why the answer ended."""
        trace = answer.trace
        self._note(self._live.end(trace.steps, trace.answer), trace.step_logprobs)
        return [*self.take(), {**self._choice(), "finish_reason": answer.finish_reason}]

    def _note(self, news: News, means: tuple[float | None, ...] | None = None) -> None:
        for name, text in (("reasoning_content", news.reasoning), ("content", news.content)):
            if text:
                self._delta[name] = self._delta.get(name, "") + text
        if news.steps:
            if means is None and self.shared.decoding.wants_logprobs:
                means = self._means()
            known = steps_of(news.steps, None if means is None else means[news.first :])
            self._delta["steps"] = [*self._delta.get("steps", ()), *known]

    def _means(self) -> tuple[float | None, ...]:
        layout, text_of = self.shared.unit.layout, self.shared.texts.__getitem__
        return step_logprobs(layout, text_of, self._live.whole_lines, self.shared.given, self._tokens)

    def _choice(self) -> Json:
        delta, self._delta = self._delta, {}
        logprobs = None
        if self.shared.decoding.wants_logprobs:
            logprobs = self.shared.texts.chat_logprobs(self._tokens[self._told :])
            self._told = len(self._tokens)
        return {"index": self.index, "delta": delta, "logprobs": logprobs, "finish_reason": None}


@dataclass
class CompletionWriter:
    """Writes answer number ``index`` as completion chunks: the text as it is generated, planning tokens included."""

    index: int
    shared: Background
    _tokens: list[Token] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pieces = TextPieces(self.shared.unit.tokenizer)
        self._text, self._told, self._offset = self.shared.given, "", len(self.shared.given)

    def begin(self) -> Json:
        """The first general tokens, and the steps that the request gave."""
        return self._choice(self._news())

    def add(self, token: Token) -> None:
        """Take a token."""
        self._tokens.append(token)
        self._text += self._pieces.add(token.id)

    def take(self) -> list[Json]:
        """A choice with all that was added, if it says anything."""
        text = self._news()
        return [self._choice(text)] if text or (self._tokens and self.shared.decoding.wants_logprobs) else []

    def end(self, answer: Answer) -> list[Json]:
        """What was held back, and why the answer ended."""
        rest = grown(self._told, answer.trace.text)
        held = [self._choice(rest)] if rest or self._tokens else []
        return [*held, {**self._choice(""), "finish_reason": answer.finish_reason}]

    def _news(self) -> str:
        news = grown(self._told, self._text[: len(self._text) - held_back(self._text, self.shared.decoding.stop)])
        self._told += news
        return news

    def _choice(self, text: str) -> Json:
        logprobs = None
        if self.shared.decoding.wants_logprobs:
            logprobs = self.shared.texts.completion_logprobs(self._tokens, self._offset)
            self._offset += sum(map(len, logprobs["tokens"]))
        self._tokens = []
        return {"index": self.index, "text": text, "logprobs": logprobs, "finish_reason": None}
