"""Labelling through live requests: many questions at the same time, results written in the order of the questions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from memreason.errors import UserError
from memreason.label.clients import Agents
from memreason.label.dialogue import Ask, Labelled, Labeller, Rejection, label
from memreason.label.questions import QuestionAndKind
from memreason.label.solutions_and_rejects import RunFiles
from memreason.llm.base import Reply, RequestFailed, Stopped

WINDOW = 32
"""While an earlier question is not finished, this many times `concurrency` results may wait to be written."""


async def solve(
    item: QuestionAndKind, labeller: Labeller, answer: Callable[[Ask], Awaitable[Reply]]
) -> Labelled | Rejection:
    """Label one question; ``answer`` gives the reply to each request."""
    talk = label(item.question, item.kind, labeller)
    try:
        ask = next(talk)
        while True:
            try:
                reply = await answer(ask)
            except RequestFailed as failure:
                ask = talk.throw(failure)
            else:
                ask = talk.send(reply)
    except StopIteration as ended:
        return ended.value


async def label_online(
    questions: Iterator[QuestionAndKind],
    labeller: Labeller,
    agents: Agents,
    out: RunFiles,
    concurrency: int,
    on_result: Callable[[int], None],
) -> None:
    """Label ``concurrency`` questions at a time, and append the results in the order of the questions.

    At most `WINDOW` × ``concurrency`` results wait in memory for an earlier question. ``on_result`` is called after
    each question with the number of results that wait. If a request stops the run (Stopped, UserError), this is raised
    after the requests that are under way have come back and are in the cache. A failed request makes a rejection only
    after a later request has got a reply; until then the endpoint may be down.
    """
    window = asyncio.Semaphore(WINDOW * concurrency)
    numbered = enumerate(questions)
    waiting: dict[int, Labelled | Rejection] = {}
    written = 0
    stopped: list[Exception] = []

    async def worker() -> None:
        nonlocal written
        while True:
            await window.acquire()
            row = None if stopped else next(numbered, None)
            if row is None:
                window.release()
                return
            try:
                waiting[row[0]] = await solve(row[1], labeller, agents.answer)
            except (Stopped, UserError) as error:
                stopped.append(error)
                for _ in range(concurrency):  # wake the workers that wait for this row
                    window.release()
                return
            while written in waiting and not agents.in_doubt(waiting[written]):
                out.write(waiting.pop(written))
                written += 1
                window.release()
            on_result(len(waiting))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(worker())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    if stopped:
        raise next((error for error in stopped if isinstance(error, UserError)), stopped[0])
    for position in sorted(waiting):
        if not agents.answered:
            raise Stopped(f"no request got an answer; the last one: {getattr(waiting[position], 'detail', '')}")
        out.write(waiting[position])
