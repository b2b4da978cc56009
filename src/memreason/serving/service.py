"""The work behind the routes: orders go to the engine, and answers become responses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memreason.errors import UserError
from memreason.generation.decoding import Decoding
from memreason.generation.engine import Engine
from memreason.generation.request import Answer, Request
from memreason.records import Question
from memreason.serving.engine_thread import EngineThread, Job
from memreason.serving.errors import ApiError, unusable
from memreason.serving.gate import HungUp, Receive
from memreason.serving.metrics import Metrics
from memreason.serving.orders import Order
from memreason.serving.replies import Envelope, Json, TokenTexts, message_of, usage_of
from memreason.serving.streams import DONE, event
from memreason.serving.vote import vote
from memreason.serving.writers import Background, ChatWriter, CompletionWriter, Writer

if TYPE_CHECKING:
    from memreason.records import AnswerKind

_FIRST = Question("first", "?", "")
"""Asked before the server listens."""


@dataclass
class Service:
    """One engine, and the limits on what it is asked for.

    ``kind`` is the kind of answers that votes read; None: a letter where a question has options, else any text.
    ``max_waiting`` answers may wait; a request may take ``timeout`` seconds.
    """

    engine: Engine
    kind: AnswerKind | None
    max_waiting: int
    timeout: float
    stopping: bool = field(default=False, init=False)
    """Whether new requests are refused, because the server is about to stop."""

    def __post_init__(self) -> None:
        self.metrics = Metrics(lambda: self.engine.waiting, lambda: self.engine.under_way)
        self.thread = EngineThread(self.engine, self._count)
        self.texts = TokenTexts(self.engine.unit.tokenizer)

    async def start(self) -> None:
        """Start the engine, which prepares the model at its first answer; so it gives one."""
        self.thread.start()
        job = self.thread.submit([Request(_FIRST, decoding=Decoding(max_new_tokens=1))], tokens=False)
        await job.news()
        job.close()

    @property
    def state(self) -> str:
        """`ok`, `stopping` or `failed`."""
        return "failed" if self.thread.failure else "stopping" if self.stopping else "ok"

    def refuse_new(self) -> None:
        """Raise ApiError where new requests are not taken."""
        if self.thread.failure:
            raise ApiError(503, "the model has failed; the server must be started again", "engine_failed")
        if self.stopping:
            headers = {"Retry-After": "5", "Connection": "close"}
            raise ApiError(503, "the server is stopping", "stopping", headers=headers)

    def admit(self, order: Order) -> Job:
        """Give an order to the engine. Raises ApiError where it cannot be taken."""
        requests = [Request(question, order.steps, decoding=order.decoding) for question in order.questions]
        return self.submit(requests, tokens=order.stream and not order.vote)

    def submit(self, requests: Sequence[Request], tokens: bool) -> Job:
        """Give requests to the engine, with an event for every token if ``tokens``. Raises ApiError where they cannot
        be taken."""
        self.refuse_new()  # again: the body may have taken its time
        if (waiting := self.engine.waiting) + sum(request.decoding.n for request in requests) > self.max_waiting:
            raise ApiError(
                429,
                f"{waiting} answers are waiting already; try again later",
                "queue_full",
                headers={"Retry-After": str(self.metrics.seconds_for(waiting))},
            )
        try:
            return self.thread.submit(requests, tokens)
        except UserError as error:
            raise unusable(str(error)) from error

    async def answer(self, order: Order, envelope: Envelope, receive: Receive) -> Json:
        """The response to an order. Raises ApiError, and HungUp where the client is gone before."""
        answers = _by_question(await self.gathered(self.admit(order), order.answers, receive), order)
        choices = await self._choices(order, envelope, answers)
        return envelope.around(choices, usage_of(answers))

    async def gathered(self, job: Job, count: int, receive: Receive) -> list[Answer]:
        """The ``count`` answers of a job, which is closed then. Raises ApiError, and HungUp where the client is gone
        before."""
        work, gone = asyncio.create_task(_answers(job, count)), asyncio.create_task(_until_hung_up(receive))
        try:
            await asyncio.wait({work, gone}, timeout=self.timeout, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise HungUp if gone.done() else self._too_slow()
            return work.result()
        finally:
            job.close()
            for task in (work, gone):
                task.cancel()

    async def stream(self, order: Order, envelope: Envelope, job: Job) -> AsyncIterator[bytes]:
        """The chunks of an admitted order, as server-sent events."""

        async def chunks() -> AsyncIterator[Json]:
            async for choices, answers in self._pieces(order, envelope, job):
                for choice in choices:
                    yield envelope.around([choice], None, chunk=True)
                if answers and order.include_usage:
                    yield envelope.around([], usage_of(answers), chunk=True)

        async for each in self.events(chunks()):
            yield each

    async def events(self, said: AsyncIterator[Json]) -> AsyncIterator[bytes]:
        """What is ``said``, as server-sent events. Errors are events too: the status is already sent."""
        try:
            async for each in said:
                yield event(each)
            yield DONE
        except TimeoutError:
            yield event(self._too_slow().body())
        except ApiError as error:
            yield event(error.body())

    async def _pieces(
        self, order: Order, envelope: Envelope, job: Job
    ) -> AsyncIterator[tuple[list[Json], list[list[Answer]]]]:
        """(choices, no answers) again and again, and ([], all answers) at the end."""
        start, deadline = time.monotonic(), asyncio.get_running_loop().time() + self.timeout
        writers = self._writers(order, envelope)
        yield [writer.begin() for writer in writers], []
        ended: list[Answer | None] = [None] * order.answers
        first = True
        while None in ended:
            async with asyncio.timeout_at(deadline):
                events = await job.news()
            if first and any(not isinstance(news, Answer) for _, news in events):
                self.metrics.first_token.observe(time.monotonic() - start)
                first = False
            choices: list[Json] = []
            changed: dict[int, Writer] = {}
            for number, news in events:
                if not isinstance(news, Answer):
                    changed[number] = writers[number]
                    writers[number].add(news)
                    continue
                ended[number] = news
                if not order.vote:
                    changed.pop(number, None)
                    choices += writers[number].end(news)
            yield [*(choice for writer in changed.values() for choice in writer.take()), *choices], []
        answers = _by_question([answer for answer in ended if answer], order)
        if order.vote:
            (choice,) = await self._choices(order, envelope, answers)
            yield [{**choice, "delta": choice.pop("message"), "finish_reason": None}], []
            yield [{**choice, "delta": {}}], []
        yield [], answers

    def _writers(self, order: Order, envelope: Envelope) -> list[Writer]:
        shared = Background(self.engine.unit, self.texts, order.decoding, self._given(order))
        if not envelope.chat:
            return [CompletionWriter(index, shared) for index in range(order.answers)]
        return [ChatWriter(index, shared) for index in range(1 if order.vote else order.answers)]

    def _given(self, order: Order) -> str:
        """The text with which the answers begin."""
        unit = self.engine.unit
        written = unit.layout.encode_steps(unit.tokenizer, order.steps)
        return "".join(unit.layout.prefix) + unit.tokenizer.decode(written, skip_special_tokens=False)

    async def _choices(self, order: Order, envelope: Envelope, answers: list[list[Answer]]) -> list[Json]:
        if order.vote:
            return [await self._voted(answers[0], order)]
        flat = [answer for each in answers for answer in each]
        return [self._choice(index, answer, order, envelope.chat) for index, answer in enumerate(flat)]

    def _choice(self, index: int, answer: Answer, order: Order, chat: bool) -> Json:
        said = message_of(answer)
        wanted = order.decoding.wants_logprobs
        if chat:
            logprobs = self.texts.chat_logprobs(answer.tokens) if wanted else None
            return {"index": index, "message": said, "logprobs": logprobs, "finish_reason": answer.finish_reason}
        logprobs = self.texts.completion_logprobs(answer.tokens, len(self._given(order))) if wanted else None
        choice = {
            "index": index,
            "text": answer.trace.text,
            "logprobs": logprobs,
            "finish_reason": answer.finish_reason,
        }
        return {**choice, "answer": said["content"], "steps": said["steps"]}

    async def _voted(self, answers: Sequence[Answer], order: Order) -> Json:
        """The choice that a vote makes: the message of the first answer that says what most say."""
        kind = self.kind or ("choice" if order.questions[0].options else "text")
        # In a thread: comparing two formulas can take a while.
        outcome = await asyncio.to_thread(vote, [answer.trace for answer in answers], kind)
        choice = self._choice(0, answers[outcome.first], order, chat=True)
        choice["message"] |= {"content": outcome.answer or "", "vote": outcome.to_json()}
        return choice

    def _count(self, answer: Answer) -> None:
        if answer.trace.question is _FIRST:
            return
        prompt = answer.prompt_tokens if answer.sample == 0 else 0
        self.metrics.ended(answer.finish_reason, prompt, answer.completion_tokens)

    def _too_slow(self) -> ApiError:
        return ApiError(504, f"the answer was not ready within {self.timeout:g} seconds", "timeout")


def _by_question(answers: Sequence[Answer], order: Order) -> list[list[Answer]]:
    n = order.decoding.n
    return [list(answers[first : first + n]) for first in range(0, len(answers), n)]


async def _answers(job: Job, count: int) -> list[Answer]:
    ended: dict[int, Answer] = {}
    while len(ended) < count:
        ended |= {number: news for number, news in await job.news() if isinstance(news, Answer)}
    return [ended[number] for number in range(count)]


async def _until_hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
