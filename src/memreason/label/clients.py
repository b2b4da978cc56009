"""The agents that answer: each request once, from the request cache or from a client, within the budget."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from memreason.label.config import LabelConfig
from memreason.label.dialogue import KNOWLEDGE, PLANNER, Ask, Labelled, Rejection
from memreason.llm.base import Client, Reply, Request
from memreason.llm.cache import RequestCache
from memreason.llm.meter import FREE, Meter, Price
from memreason.llm.open_client import open_client


@dataclass(frozen=True)
class Agent:
    """One role: who answers, as which model, at what price (None: not known)."""

    client: Client
    model: str
    price: Price | None


class Agents:
    """Answers what is asked: from the request cache, or else by asking an agent and keeping the reply."""

    def __init__(self, config: LabelConfig, agents: dict[str, Agent], cache: RequestCache, meter: Meter):
        self.run_name = str(Path(config.output).resolve())
        self.by_role, self.cache, self.meter = agents, cache, meter
        self._config = config
        self.answered = 0
        self._under_way: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def request(self, ask: Ask) -> tuple[str, Request]:
        """(key, request) of what is asked."""
        agent = self.by_role[ask.role]
        request = Request(
            agent.model, ask.messages, ask.form, ask.schema,
            self._config.max_tokens, self._config.temperature, self._config.extra,
        )  # fmt: skip
        asked_in = "" if self._config.structured == "auto" else f" {self._config.structured}"
        return request.key(agent.client.endpoint + asked_in), request

    def in_doubt(self, result: Labelled | Rejection) -> bool:
        """Whether a request failed, and its endpoint has answered none since."""
        clients = (agent.client for agent in self.by_role.values())
        failing = any(getattr(client, "failed_in_a_row", 0) for client in clients)
        return isinstance(result, Rejection) and result.reason == "request_failed" and failing

    async def answer(self, ask: Ask) -> Reply:
        """The reply. Raises RequestFailed, Stopped or UserError as a client does."""
        key, request = self.request(ask)
        # Whoever asks the same at the same time waits for the one reply.
        async with self._under_way.setdefault(key, asyncio.Lock()):
            if reply := self.cache.get(key):
                return reply
            agent = self.by_role[ask.role]
            price = agent.price or FREE
            reserved, reply = await self.meter.reserve_in_turn(request, price), None
            try:
                reply = await agent.client.complete(request)
                self.answered += 1
            finally:
                cost = self.meter.settle(reserved, reply, price)
            self.cache.put(key, self.run_name, ask.role, agent.model, reply, cost)
            return reply


def open_agents(config: LabelConfig, meter: Meter, dtypes: dict[str, str]) -> dict[str, Agent]:
    """Role → agent, as the options say; where they name no other one, the planner also recalls the knowledge."""
    planner = Agent(*open_client(
        config.planner, meter, base_url=config.base_url, key_variable=config.api_key_env, price=config.price,
        flag="price", settings=config, dtypes=dtypes,
    ))  # fmt: skip
    own = (config.knowledge, config.knowledge_base_url, config.knowledge_api_key_env, config.knowledge_price)
    if not any(own):
        return {PLANNER: planner, KNOWLEDGE: planner}
    model = config.knowledge or config.planner
    if model == config.planner and not any(own[1:]):
        return {PLANNER: planner, KNOWLEDGE: planner}
    knowledge = Agent(*open_client(
        model, meter, base_url=config.knowledge_base_url or config.base_url,
        key_variable=config.knowledge_api_key_env or config.api_key_env,
        price=config.knowledge_price or (config.price if model == config.planner else None),
        flag="knowledge_price", settings=config, dtypes=dtypes,
    ))  # fmt: skip
    return {PLANNER: planner, KNOWLEDGE: knowledge}
