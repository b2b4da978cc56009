"""`memreason label`: questions in, solutions and rejects out, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from memreason.errors import UserError
from memreason.label.batches import label_batched
from memreason.label.clients import Agents, open_agents
from memreason.label.config import LabelConfig
from memreason.label.dialogue import Ask, Labelled, Labeller, Rejection, label
from memreason.label.estimate import Estimate, estimate, first_prompt
from memreason.label.files import RunFiles, rejects_path
from memreason.label.progress import LabelProgress
from memreason.label.prompts import load_prompts
from memreason.label.questions import Asked, Questions
from memreason.llm.base import Message, Reply, RequestFailed, Stopped, split_address
from memreason.llm.cache import RequestCache
from memreason.llm.meter import Meter
from memreason.runtime.cache_dir import cache_folder
from memreason.runtime.interruptions import run_until_ended

WINDOW = 32
"""Results may wait for this many times `concurrency` questions until an earlier question has ended."""


@dataclass(frozen=True)
class LabelResult:
    """What came of a labelling run: its files with their counts, what it used, what it was estimated to take.

    ``first_prompt`` is what a dry run shows, the planner's messages for the first question; else None.
    """

    files: RunFiles
    meter: Meter
    estimate: Estimate
    first_prompt: tuple[Message, ...] | None = None


async def solve(asked: Asked, labeller: Labeller, answer: Callable[[Ask], Awaitable[Reply]]) -> Labelled | Rejection:
    """Label one question with ``answer`` answering what is asked."""
    talk = label(asked.question, asked.kind, labeller)
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
    questions: Iterator[Asked],
    labeller: Labeller,
    agents: Agents,
    out: RunFiles,
    concurrency: int,
    on_result: Callable[[int], None],
) -> None:
    """Label ``concurrency`` questions at a time, and append the results in the order of the questions.

    At most `WINDOW` × ``concurrency`` results wait in memory for an earlier question. Raises what
    stopped it (Stopped, UserError) once the requests in flight have come back and are in the cache.
    Failed requests are no rejections as long as no other request has got through since: the endpoint
    may be down. ``on_result`` is told, after each question, how many results are waiting.
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
                for _ in range(concurrency):  # wake whoever waits for this row
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


def run(
    config: LabelConfig,
    console: Console | None = None,
    on_estimate: Callable[[Estimate], None] = lambda estimate: None,
) -> LabelResult:
    """Label the questions, or with ``dry_run`` estimate what that takes.

    Goes on where an earlier sitting with the same settings stopped. ``console`` gets the progress bar (default:
    stderr), and ``on_estimate`` the estimate before the first request is sent. Raises UserError for bad input
    and for an endpoint that refuses, Stopped where the budget is used up or the endpoint is down;
    in both cases everything so far is on disk.
    """
    console = console or Console(stderr=True)
    labeller = Labeller(config.order, load_prompts(config.order, config.prompts), config.repairs, config.need_both)
    questions = Questions(config)
    out = RunFiles(Path(config.output))
    for flag, read in (("input", config.input), ("data_path", config.data_path)):
        if read and any(_same_file(Path(read), path) for path in (out.output, rejects_path(out.output))):
            raise UserError(f"--output {config.output}: would write into --{flag} {read}; name another file")
    with ExitStack() as files:
        cache = files.enter_context(closing(RequestCache(_cache_path(config))))
        if not config.dry_run:
            files.enter_context(out)
            out.begin(_settings(config, labeller), config.overwrite_output)
        out.catch_up(questions)
        if not config.batch and not config.dry_run and cache.open_batches(str(out.output.resolve())):
            raise UserError("an asynchronous batch of this run is under way and paid for; add --batch to wait for it")
        spent = cache.spent(str(out.output.resolve()))
        meter = Meter(config.max_requests, config.max_cost, config.requests_per_minute, config.tokens_per_minute,
                      spent.cost, spent.replies, spent.tokens)  # fmt: skip
        expected = estimate(questions, out.done, labeller, config, cache)
        if expected.questions == 0 and out.done == 0:
            raise UserError("there are no questions in the input")
        on_estimate(expected)
        if config.dry_run:
            return LabelResult(out, meter, expected, first_prompt(questions, labeller))
        if expected.questions == 0:
            return LabelResult(out, meter, expected)
        by_role = open_agents(config, meter, out.dtypes())
        clients = [agent.client for agent in by_role.values()]
        out.keep_dtypes({client.endpoint: client.dtype for client in clients if hasattr(client, "dtype")})
        agents = Agents(config, by_role, cache, meter)
        with LabelProgress(console, out, meter, expected.questions + out.done) as progress:
            run_until_ended(_label(config, questions, labeller, agents, out, progress))
    return LabelResult(out, meter, expected)


def _same_file(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or (one.is_file() and other.is_file() and one.samefile(other))


async def _label(
    config: LabelConfig,
    questions: Questions,
    labeller: Labeller,
    agents: Agents,
    out: RunFiles,
    progress: LabelProgress,
) -> None:
    rest = islice(questions, out.done, None)
    try:
        if config.batch:
            await label_batched(questions, labeller, agents, out, config, progress)
        else:
            await label_online(rest, labeller, agents, out, _concurrency(config), progress.update)
    finally:
        for agent in set(agents.by_role.values()):
            await agent.client.close()


def _settings(config: LabelConfig, labeller: Labeller) -> dict[str, Any]:
    """What every sitting of a run must share."""
    names = (
        "task", "data_path", "input", "input_config", "split", "question_column", "answer_column", "options_column",
        "id_column", "planner", "knowledge", "order", "base_url", "knowledge_base_url", "temperature", "max_tokens",
        "extra_body", "repairs", "need_both", "structured",
    )  # fmt: skip
    dtype = {} if config.dtype == "auto" else {"dtype": config.dtype}
    kept = {name: getattr(config, name) for name in names}
    for name in ("base_url", "knowledge_base_url"):
        kept[name] = kept[name] and split_address(kept[name])[0]
    return {**kept, **dtype, "prompts": labeller.prompts.fingerprint}


def _cache_path(config: LabelConfig) -> Path:
    return Path(config.request_cache).expanduser() if config.request_cache else cache_folder() / "requests.sqlite"


def _concurrency(config: LabelConfig) -> int:
    if config.concurrency:
        return config.concurrency
    return config.batch_size if config.planner.startswith("local:") else 32
