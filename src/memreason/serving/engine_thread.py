"""The engine in a thread of its own, and what it reports on its way into asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from memreason.serving.errors import ApiError

if TYPE_CHECKING:
    from memreason.generation.engine import Engine
    from memreason.generation.request import Answer, Handle, Request
    from memreason.generation.samples import Token

    Event = tuple[int, Token | Answer]
    """(number of the answer among those of the job, its next token or the answer as a whole)."""

logger = logging.getLogger(__name__)


class Job:
    """Requests under way for one client. Their answers are numbered through, question by question."""

    def __init__(self, on_close: Callable[[Job], None]):
        self.handles: list[Handle] = []
        self.events: asyncio.Queue[Event | ApiError] = asyncio.Queue()
        self._on_close = on_close

    async def news(self) -> list[Event]:
        """All events that have come, in order; waits for at least one. Raises ApiError where no more will come."""
        events = [await self.events.get()]
        while not self.events.empty():
            events.append(self.events.get_nowait())
        for event in events:
            if isinstance(event, ApiError):
                raise event
        return events  # type: ignore[return-value]

    def close(self) -> None:
        """Cancel what has not ended, so that its places are free. May be called again."""
        for handle in self.handles:
            handle.cancel()
        self._on_close(self)


class EngineThread:
    """Runs an engine in a thread, from `start` to `stop`. All methods are for the thread of the event loop, which also
    calls ``on_answer`` for every answer that has ended, cancelled ones too."""

    def __init__(self, engine: Engine, on_answer: Callable[[Answer], None]):
        self.engine = engine
        self.failure: BaseException | None = None
        self.jobs: set[Job] = set()
        self._on_answer = on_answer
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._mail: deque[tuple[Job, int, Token | Answer, bool]] = deque()
        self._called = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the thread; events go to the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def submit(self, requests: Sequence[Request], tokens: bool) -> Job:
        """Submit requests, with an event for every token if ``tokens``, and for every answer.

        Raises UserError where the engine does; then none of them is under way.
        """
        job = Job(self.jobs.discard)
        first = 0
        try:
            for request in requests:
                job.handles.append(self._submit(job, first, request, tokens))
                first += request.decoding.n
        except BaseException:
            job.close()
            raise
        self.jobs.add(job)
        return job

    def _submit(self, job: Job, first: int, request: Request, tokens: bool) -> Handle:
        def on_token(sample: int, token: Token) -> None:
            self._post(job, first + sample, token, False)

        def on_end(answer: Answer) -> None:
            self._post(job, first + answer.sample, answer, True)

        return self.engine.submit(request, on_token if tokens else None, on_end)

    async def stop(self, seconds: float) -> None:
        """End the thread after the answers under way, and wait at most ``seconds`` for it."""
        self._stopping.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, seconds)

    def abandon(self) -> None:
        """End all jobs with an error. Any thread may call this."""
        self._call(lambda: self._end(ApiError(503, "the server has stopped", "stopping")))

    # ---- in the engine's thread --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self.engine:
                self.engine.serve(self._stopping)
        except BaseException as error:
            logger.error(f"the engine failed:\n{traceback.format_exc()}")
            failure = error
            self._call(lambda: self._fail(failure))

    def _post(self, job: Job, number: int, news: Token | Answer, ended: bool) -> None:
        """Put an event on its way. The loop is woken once for all events that have come until it looks."""
        self._mail.append((job, number, news, ended))
        if not self._called:
            self._called = True
            self._call(self._deliver)

    def _call(self, function: Callable[[], None]) -> None:
        assert self._loop
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function)

    # ---- in the event loop -------------------------------------------------------------------------

    def _deliver(self) -> None:
        self._called = False  # first: what is posted from here on calls again
        while self._mail:
            job, number, news, ended = self._mail.popleft()
            if ended:
                self._on_answer(news)  # type: ignore[arg-type]
            job.events.put_nowait((number, news))

    def _fail(self, error: BaseException) -> None:
        self._deliver()
        self.failure = error
        self._end(ApiError(500, "the model failed; the server must be started again", "engine_failed"))

    def _end(self, error: ApiError) -> None:
        for job in self.jobs:
            job.events.put_nowait(error)
