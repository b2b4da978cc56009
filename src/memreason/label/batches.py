"""Labelling through asynchronous batches, in rounds, until no question needs another request.

Each round goes through the questions that are left. It answers requests from the request cache where it can, writes
the results of questions that are finished, and submits all other requests, one batch for each agent (more if they do
not fit into one). The cache file also records the batches, so a run that was killed waits for its batches instead of
paying again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TextIO

from memreason.errors import UserError
from memreason.label.clients import Agents
from memreason.label.config import LabelConfig
from memreason.label.dialogue import Ask, Labelled, Labeller, Rejection, label
from memreason.label.estimate import BATCH_PRICE
from memreason.label.progress import LabelProgress
from memreason.label.questions import QuestionAndKind, Questions
from memreason.label.solutions_and_rejects import RunFiles
from memreason.llm import batch_api
from memreason.llm.base import RequestFailed, Stopped
from memreason.llm.meter import FREE, Price
from memreason.llm.openai_api import OpenAIEndpoint


class _Pending:
    """A batch that is being filled: the requests to one role, in a file of their own."""

    def __init__(self, role: str, folder: Path, number: int):
        self.role, self.path, self.count, self.bytes, self.reserved = role, folder / f"{role}-{number}.jsonl", 0, 0, 0.0
        self.keys: set[str] = set()

    def add(self, file: TextIO, key: str, line: str) -> None:
        """Add a request."""
        file.write(line)
        self.keys.add(key)
        self.count += 1
        self.bytes += len(line)

    @property
    def name(self) -> str:
        """A name for the batch, new at each call: a digest of the requests, and a random part."""
        keys = hashlib.sha256("".join(sorted(self.keys)).encode())
        return f"memreason-{keys.hexdigest()[:16]}-{os.urandom(4).hex()}"


class BatchRun:
    """The state of a run with batches.

    ``failures`` counts how often each request has failed, and ``why`` has the last reason, both by the request's key.
    ``submitted`` has the keys of each batch that this process submitted, by the batch's name. ``stopped`` is what ended
    the last `gather` early: the budget.
    """

    def __init__(self, agents: Agents, config: LabelConfig, progress: LabelProgress):
        self.agents, self.config, self.progress = agents, config, progress
        self.failures: Counter[str] = Counter()
        self.why: dict[str, str] = {}
        self.submitted: dict[str, set[str]] = {}
        self.stopped: Stopped | None = None

    async def collect_open(self) -> None:
        """Wait for all batches of this run that are under way, also those of earlier sittings; keep their replies.

        Raises UserError if a batch is lost, or if an endpoint does not answer as it should.
        """
        cache = self.agents.cache
        for name, role, id in cache.open_batches(self.agents.run_name):
            if role not in self.agents.by_role:
                raise UserError(
                    f"{cache.path}: damaged, it has a batch for an unknown agent {role!r}; name another file with "
                    "--request_cache"
                )
            endpoint = self._endpoint(role)
            id = id or await batch_api.find(endpoint, name)
            if id is None:  # killed before it reached the endpoint
                cache.end_batch(name, "never submitted")
                continue
            cache.name_batch(name, id)
            try:
                batch = await batch_api.wait(endpoint, id, self.config.poll_seconds, self.progress.say)
                answers = await batch_api.collect(endpoint, batch)
            except batch_api.BatchLost as lost:  # the next sitting submits its requests again
                cache.end_batch(name, "lost")
                raise UserError(f"{lost}; the same command submits its requests again") from None
            self._keep(name, role, answers)
            cache.end_batch(name, "collected")
            self.progress.update()

    def _keep(self, name: str, role: str, answers: Iterable[batch_api.Answered]) -> None:
        """Put a batch's replies into the cache; for a request without a reply, count one more failure."""
        cache, agent, price = self.agents.cache, self.agents.by_role[role], self._price(role)
        sent_keys = self.submitted.get(name)
        missing, unread = set(sent_keys or ()), ""
        for answered in answers:
            if sent_keys is None:  # an earlier sitting sent it, so it is counted only now
                self.agents.meter.requests += 1
            if answered.key is None or (sent_keys is not None and answered.key not in sent_keys):
                unread = unread or answered.why or "a line about no request of this batch"
                continue
            missing.discard(answered.key)
            if answered.reply is None:
                self._failed(answered.key, answered.why)
            elif cache.get(answered.key) is None:
                cost = self.agents.meter.settle(0.0, answered.reply, price)
                cache.put(answered.key, self.agents.run_name, role, agent.model, answered.reply, cost)
        for key in missing:
            self._failed(key, f"the batch's files say nothing of it{unread and ', but have '}{unread}")
        if unread:
            self.progress.say(f"the batch's files have {unread}")

    def _failed(self, key: str, why: str) -> None:
        self.failures[key] += 1
        self.why[key] = why

    async def submit(self, pending: list[_Pending]) -> None:
        """Submit the batches that `gather` filled."""
        for batch in pending:
            name = batch.name
            self.submitted[name] = batch.keys
            self.agents.cache.begin_batch(name, self.agents.run_name, batch.role)
            id = await batch_api.submit(self._endpoint(batch.role), batch.path, name)
            self.agents.cache.name_batch(name, id)
            self.progress.say(f"batch {id}: {batch.count:,} requests to the {batch.role}")

    def gather(
        self, questions: Iterator[QuestionAndKind], labeller: Labeller, out: RunFiles, folder: Path
    ) -> list[_Pending]:
        """Go through the questions once, and return the batches of requests that they need next.

        The results of finished questions are written, up to the first question that is not finished.
        """
        self.stopped = None
        pending: list[_Pending] = []
        newest: dict[str, tuple[_Pending, TextIO]] = {}
        seen: set[str] = set()
        in_order = True
        with ExitStack() as files:
            for question in questions:
                result = self._replay(question, labeller)
                if not isinstance(result, Ask):
                    if in_order:
                        out.write(result)
                    continue
                in_order = False
                key, request = self.agents.request(result)
                if self.stopped or key in seen:
                    continue
                try:
                    reserved = self._reserve(request, result.role)
                except Stopped as stop:
                    # If this round has requests already, it is only full: what they do not need comes back after it.
                    self.stopped = stop
                    continue
                seen.add(key)
                line = batch_api.batch_line(key, request, self._endpoint(result.role))
                batch, file = newest.get(result.role, (None, None))
                if batch is None or file is None or _is_full(batch, line):
                    batch = _Pending(result.role, folder, len(pending))
                    file = files.enter_context(open(batch.path, "w", encoding="utf-8"))
                    pending.append(batch)
                    newest[result.role] = batch, file
                batch.add(file, key, line)
                batch.reserved += reserved
        return pending

    def release(self, pending: list[_Pending]) -> None:
        """Give back the budget that was set aside for these batches, which have been collected."""
        for batch in pending:
            self.agents.meter.settle(batch.reserved, None, FREE)

    def _replay(self, item: QuestionAndKind, labeller: Labeller) -> Ask | Labelled | Rejection:
        """A question's result, or the first request of it that has no reply in the cache."""
        talk = label(item.question, item.kind, labeller)
        try:
            ask = next(talk)
            while True:
                key, _ = self.agents.request(ask)
                reply = self.agents.cache.get(key)
                if reply is not None:
                    ask = talk.send(reply)
                elif self.failures[key] > self.config.retries:
                    ask = talk.throw(RequestFailed(self.why[key]))
                else:
                    return ask
        except StopIteration as ended:
            return ended.value

    def _reserve(self, request: object, role: str) -> float:
        meter = self.agents.meter
        if meter.max_requests is not None and meter.requests >= meter.max_requests:
            raise Stopped(f"--max_requests {meter.max_requests} reached")
        reserved = meter.reserve(request, self._price(role))  # type: ignore[arg-type]
        meter.requests += 1
        return reserved

    def _price(self, role: str) -> Price:
        price = self.agents.by_role[role].price or FREE
        return Price(price.prompt * BATCH_PRICE, price.completion * BATCH_PRICE)

    def _endpoint(self, role: str) -> OpenAIEndpoint:
        client = self.agents.by_role[role].client
        assert isinstance(client, OpenAIEndpoint)  # with --batch, LabelConfig allows no other agents
        return client


def _is_full(batch: _Pending, line: str) -> bool:
    return batch.count >= batch_api.MOST_REQUESTS or batch.bytes + len(line) > batch_api.MOST_BYTES


async def label_batched(
    questions: Questions,
    labeller: Labeller,
    agents: Agents,
    out: RunFiles,
    config: LabelConfig,
    progress: LabelProgress,
) -> None:
    """Label the questions that are left.

    Raises Stopped if the budget is used up, after all batches under way have been collected.
    """
    run = BatchRun(agents, config, progress)
    await run.collect_open()
    while True:
        with tempfile.TemporaryDirectory(prefix="memreason-batch-") as folder:
            pending = run.gather(islice(questions, out.done, None), labeller, out, Path(folder))
            progress.update()
            if pending:
                await run.submit(pending)
        await run.collect_open()
        run.release(pending)
        if not pending:
            break
    if run.stopped:
        raise run.stopped
