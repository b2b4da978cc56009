"""A request's parameters → what the engine is asked for."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreason.errors import UserError
from memreason.generation.decoding import Decoding
from memreason.records import PLAIN, Question, Step, one_line
from memreason.serving.errors import ApiError, unusable
from memreason.serving.parameters import ChatParameters, CompletionParameters, Message, Parameters
from memreason.serving.questions import question_in

if TYPE_CHECKING:
    from memreason.planning_tokens.layout import PlanningTokens


@dataclass(frozen=True)
class Order:
    """What one HTTP request asks for: answers to each of the ``questions``, all decoded alike."""

    questions: tuple[Question, ...]
    steps: tuple[Step, ...]
    decoding: Decoding
    stream: bool = False
    include_usage: bool = False
    vote: bool = False

    @property
    def answers(self) -> int:
        """How many answers are to be generated."""
        return len(self.questions) * self.decoding.n


@dataclass(frozen=True)
class Reader:
    """Reads parameters for the model ``name``, with its ``layout`` and at most ``max_n`` answers a request."""

    name: str
    layout: PlanningTokens
    max_n: int

    def chat(self, body: ChatParameters) -> Order:
        """The order of a chat request. Raises ApiError for what cannot be done."""
        self._check(body)
        if body.top_logprobs is not None and not body.logprobs:
            raise unusable("top_logprobs needs logprobs: true", "top_logprobs")
        place, message = only_question(body.messages)
        question = question_in(message.content, body.options, self._prefix, f"messages[{place}].content")
        order = self._order(body, (question,), bool(body.logprobs), body.top_logprobs or 0, bool(body.vote))
        if order.vote and (order.decoding.n < 2 or not order.decoding.temperature):
            raise unusable("vote needs n of at least 2, and a temperature above 0, or all answers are the same", "vote")
        return order

    def completion(self, body: CompletionParameters) -> Order:
        """The order of a completion request. Raises ApiError for what cannot be done."""
        self._check(body)
        questions = tuple(
            question_in(text, body.options, self._prefix, f"prompt[{i}]") for i, text in enumerate(body.prompt)
        )
        return self._order(body, questions, body.logprobs is not None, body.logprobs or 0)

    @property
    def _prefix(self) -> str:
        return "".join(self.layout.prefix)

    def _check(self, body: Parameters) -> None:
        if body.model != self.name:
            message = f"the model {body.model!r} does not exist; this server has {self.name!r}"
            raise ApiError(404, message, "model_not_found", "model")
        body.check_others()
        if body.stream_options is not None and not body.stream:
            raise unusable("stream_options needs stream: true", "stream_options")

    def _order(
        self, body: Parameters, questions: tuple[Question, ...], logprobs: bool, top_logprobs: int, vote: bool = False
    ) -> Order:
        n = body.n or 1
        if n * len(questions) > self.max_n:
            param = "n" if n > self.max_n else "prompt"
            message = f"{param}: {n * len(questions)} answers in one request; at most {self.max_n} are possible here"
            raise unusable(message, param)
        given = (body.max_tokens, body.max_completion_tokens)
        # Without a seed, two requests draw differently; the one that is drawn here stands in the response.
        seed = secrets.randbits(32) if body.seed is None else body.seed
        try:
            decoding = Decoding(
                max_new_tokens=min((most for most in given if most is not None), default=None),
                temperature=body.temperature or 0.0,
                top_p=1.0 if body.top_p is None else body.top_p,
                top_k=body.top_k or 0,
                min_p=body.min_p or 0.0,
                n=n,
                seed=seed,
                stop=tuple(body.stop or ()),
                logprobs=logprobs,
                top_logprobs=top_logprobs,
                constrained=bool(body.constrained),
                next_type=self._type(body.next_type, "next_type"),
            )
        except UserError as error:
            raise unusable(str(error)) from error
        usage = bool(body.stream_options and body.stream_options.include_usage)
        return Order(questions, self._steps(body), decoding, bool(body.stream), usage, vote)

    def _steps(self, body: Parameters) -> tuple[Step, ...]:
        steps = []
        for i, given in enumerate(body.steps or ()):
            kind = self._type(given.type, f"steps[{i}].type")
            if not (text := one_line(given.text)):
                raise unusable(f"steps[{i}].text is empty", f"steps[{i}].text")
            steps.append(Step(kind or PLAIN, text))
        return tuple(steps)

    def _type(self, name: str | None, param: str) -> str | None:
        known = self.layout.known_types
        if name is not None and name not in known:
            raise unusable(f"{param} {name!r}: the step types of this model are {', '.join(known)}", param)
        return name


def only_question(messages: list[Message]) -> tuple[int, Message]:
    """(place, message) of the only message that is not empty, which must be the user's.

    Raises ApiError for instructions and for several turns: the model has learnt to answer single questions, so it would
    not follow them, and leaving them out in silence would change the question.
    """
    filled = [(place, message) for place, message in enumerate(messages) if message.content.strip()]
    for place, message in filled:
        if message.role != "user" or len(filled) > 1:
            what = "earlier turns" if message.role in ("user", "assistant") else f"{message.role} messages"
            raise unusable(
                f"messages[{place}]: {what} are not possible: the model answers single questions; send one message, "
                'the user\'s, with all that the question needs (to continue from steps, use "steps")',
                f"messages[{place}]",
            )
    if not filled:
        raise unusable("messages: the question is empty", "messages")
    return filled[0]
