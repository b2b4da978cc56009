"""`memreason label`: reads questions, and writes solutions and rejects; can be stopped and continued at any time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console

from memreason.errors import UserError
from memreason.label import resume
from memreason.label.batches import label_batched
from memreason.label.clients import Agents, open_agents
from memreason.label.config import LabelConfig
from memreason.label.dialogue import Labeller
from memreason.label.estimate import Estimate, estimate, first_prompt
from memreason.label.online import label_online
from memreason.label.progress import LabelProgress
from memreason.label.prompts import load_prompts
from memreason.label.questions import Questions
from memreason.label.solutions_and_rejects import RunFiles, rejects_path
from memreason.llm.base import Message
from memreason.llm.cache import RequestCache, request_cache_path
from memreason.llm.meter import Meter
from memreason.llm.open_client import CONCURRENCY, backend_of
from memreason.runtime.interruptions import run_until_ended


@dataclass(frozen=True)
class LabelResult:
    """The result of a labelling run: its files with their counts, what it used, and the estimate before it.

    ``first_prompt``, only of a dry run, are the planner's messages for the first question; else None.
    """

    files: RunFiles
    meter: Meter
    estimate: Estimate
    first_prompt: tuple[Message, ...] | None = None


def run(
    config: LabelConfig,
    console: Console | None = None,
    on_estimate: Callable[[Estimate], None] = lambda estimate: None,
) -> LabelResult:
    """Label the questions or, with ``dry_run``, estimate what that needs.

    Goes on where an earlier sitting with the same settings stopped. The progress bar is shown on ``console`` (default:
    stderr). ``on_estimate`` is called with the estimate before the first request is sent. Raises UserError for bad
    input and for an endpoint that refuses, Stopped if the budget is used up or the endpoint is down; in both cases all
    results so far are on disk.
    """
    console = console or Console(stderr=True)
    labeller = Labeller(config.order, load_prompts(config.order, config.prompts), config.repairs, config.need_both)
    questions = Questions(config)
    out = RunFiles(Path(config.output))
    for flag, source in (("input", config.input), ("data_path", config.data_path)):
        if source and any(_same_file(Path(source), path) for path in (out.output, rejects_path(out.output))):
            raise UserError(f"--output {config.output}: would write into --{flag} {source}; name another file")
    with ExitStack() as files:
        cache = files.enter_context(closing(RequestCache(request_cache_path(config.request_cache))))
        if not config.dry_run:
            files.enter_context(out)
            resume.begin(out, resume.shared_settings(config, labeller), config.overwrite_output)
        resume.catch_up(out, questions)
        if not config.batch and not config.dry_run and cache.open_batches(str(out.output.resolve())):
            raise UserError("an asynchronous batch of this run is under way, and paid for; add --batch to wait for it")
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
        by_role = open_agents(config, meter, resume.begun_dtypes(out))
        clients = [agent.client for agent in by_role.values()]
        resume.keep_dtypes(out, {client.endpoint: client.dtype for client in clients if hasattr(client, "dtype")})
        agents = Agents(config, by_role, cache, meter)
        with LabelProgress(console, out, meter, expected.questions + out.done) as progress:
            run_until_ended(_label(config, questions, labeller, agents, out, progress))
    return LabelResult(out, meter, expected)


def _same_file(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve() or (a.is_file() and b.is_file() and a.samefile(b))


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


def _concurrency(config: LabelConfig) -> int:
    if config.concurrency:
        return config.concurrency
    return config.batch_size if backend_of(config.planner).in_batches else CONCURRENCY
