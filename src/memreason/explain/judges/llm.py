"""The judge `llm`: a model reads each trace and says which steps are true.

One request for each trace: the question, its steps without their types, and its answer; not the right answer and no
labelled solution, so that the model does not look for faults where it knows that there must be one. Replies are kept
in the request cache of labelling, and are paid for once, within the budget. A reply that cannot be read leaves its
trace unverifiable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from tqdm.auto import tqdm

from memreason.errors import UserError
from memreason.explain.judges.coarse import coarse_judgement
from memreason.explain.judges.config import JudgeConfig
from memreason.label.rejection_reasons import Problem
from memreason.label.replies import read_json_object
from memreason.llm.base import Message, Reply, Request, RequestFailed, object_schema
from memreason.llm.cache import RequestCache, request_cache_path
from memreason.llm.meter import Meter
from memreason.llm.open_client import ModelAddress, open_client
from memreason.llm.paid import PaidModel
from memreason.records import MEMORY, REASON, AnswerKind, Judgement, Kind, Trace, lettered
from memreason.runtime.interruptions import run_until_ended
from memreason.tasks.registry import answer_kind_of

SAYS: dict[str, Kind] = {"fact": MEMORY, "conclusion": REASON}  # type: ignore[dict-item]
VERDICTS = {"true": True, "false": False, "unknown": None}
FORM = "judgement"
_VERDICT = {"type": "string", "enum": list(VERDICTS)}
SCHEMA = object_schema(
    steps={"type": "array", "items": object_schema(says={"type": "string", "enum": list(SAYS)}, verdict=_VERDICT)},
    answer=_VERDICT,
)
SYSTEM = """You check a written solution to a question, step by step. A step either states a fact about the world, or \
draws a conclusion from the question and the steps before it.

For each step say what it does, and whether it holds:
- a fact is "true" or "false" as far as you know the world, whatever the other steps say;
- a conclusion is "true" if it follows from the question and the steps before it, taken as they stand, even where \
these are false; it is "false" if it does not follow from them;
- "unknown" if you cannot tell.
The answer is "true" if it is what the steps conclude, whether that is right or not, and "false" if it is another one.

Reply with one JSON object and nothing else, with one entry for each step, in order:
{"steps": [{"says": "fact", "verdict": "true"}, {"says": "conclusion", "verdict": "false"}], "answer": "true"}"""
"""The instruction, in the same words for every trace."""


def messages_of(trace: Trace) -> tuple[Message, ...]:
    """The messages that ask for a judgement of the trace."""
    question = "\n".join([f"Question: {trace.question.text}", *lettered(trace.question.options)])
    steps = "\n".join(f"{number}. {step.text}" for number, step in enumerate(trace.steps, 1)) or "(none)"
    user = f"{question}\n\nSteps:\n{steps}\n\nAnswer: {trace.answer or '(none)'}"
    return {"role": "system", "content": SYSTEM}, {"role": "user", "content": user}


@dataclass
class _Settings:
    """What opens a client (`ClientSettings`). A local model answers a few requests at a time, as fast as it can."""

    timeout: float
    retries: int
    concurrency: int | None
    structured: str
    batch_size: int = 8
    dtype: str = "auto"
    device: str = "auto"


class LlmJudge:
    """Asks the model that ``config`` names (`--judge_llm`). The budget holds for all calls of `judge` together."""

    name = "llm"

    def __init__(self, config: JudgeConfig, kind: AnswerKind, run: str):
        self._config, self._kind, self._run = config, kind, run
        self._extra = config.extra
        self.meter = self._metered(Meter())

    def judge(self, traces: Sequence[Trace]) -> list[Judgement]:
        """One judgement for each trace, with a progress bar that shows what was spent. Raises Stopped where the budget
        is used up or the endpoint is down, UserError where it refuses or answers no request."""
        self.meter = self._metered(self.meter)
        return run_until_ended(self._judge_all(traces))

    def _metered(self, before: Meter) -> Meter:
        """A meter that goes on where ``before`` stopped; each event loop needs a meter of its own."""
        c = self._config
        return Meter(c.max_requests, c.max_cost, c.requests_per_minute, c.tokens_per_minute,
                     before.cost, before.requests, before.tokens, before.retries)  # fmt: skip

    async def _judge_all(self, traces: Sequence[Trace]) -> list[Judgement]:
        config, name = self._config, str(self._config.judge_llm)
        address = ModelAddress(name, config.base_url, config.api_key_env, config.price)
        settings = _Settings(config.timeout, config.retries, config.concurrency, config.structured)
        client, price = open_client(address, self.meter, settings)
        gate = asyncio.Semaphore(config.concurrency)
        failures: list[RequestFailed] = []
        with (
            closing(RequestCache(request_cache_path(config.request_cache))) as cache,
            tqdm(total=len(traces), desc=f"judging with {name}", unit="trace") as bar,
        ):
            manner = "" if config.structured == "auto" else f" {config.structured}"
            model = PaidModel(client, name, price, cache, self.meter, self._run, "judge", manner)

            async def judge_one(trace: Trace) -> Judgement:
                reply: Reply | None = None
                async with gate:
                    try:
                        reply = await model.answer(Request(name, messages_of(trace), FORM, SCHEMA, extra=self._extra))
                    except RequestFailed as failure:
                        failures.append(failure)
                bar.set_postfix_str(self.meter.dollars(4), refresh=False)
                bar.update()
                return self._read(trace, reply)

            tasks = [asyncio.create_task(judge_one(trace)) for trace in traces]
            try:
                judgements = list(await asyncio.gather(*tasks))
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await client.close()
        if traces and len(failures) == len(traces):
            raise UserError(
                f"{client.endpoint}: no request got an answer ({failures[-1]}); is this the right --base_url and "
                "--judge_llm?"
            )
        return judgements

    def _read(self, trace: Trace, reply: Reply | None) -> Judgement:
        """What the reply says; all unverifiable where there is none, or where it is not in the form asked for."""
        unknown = (None,) * len(trace.steps)
        kind = answer_kind_of(trace.question.dataset) or self._kind  # it is measured on atlas, whose kind is another
        try:
            if reply is None:
                raise Problem("request_failed")
            row = read_json_object(reply, "steps")
            entries = row["steps"]
            if not isinstance(entries, list) or len(entries) != len(trace.steps):
                raise Problem("wrong_count")
            kinds = [SAYS[entry["says"]] for entry in entries]
            truths = [VERDICTS[entry["verdict"]] for entry in entries]
            answer = VERDICTS[row["answer"]] if trace.answer is not None else None
        except (Problem, KeyError, TypeError):
            return coarse_judgement(trace, kind, (*unknown, None), unknown)
        return coarse_judgement(trace, kind, [*truths, answer], kinds)
