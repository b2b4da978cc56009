"""The agents of a run: each request is answered once, from the request cache or by a client, within the budget."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakValueDictionary

from memreason.label.config import LabelConfig
from memreason.label.dialogue import KNOWLEDGE, PLANNER, Ask, Labelled, Rejection
from memreason.llm.base import Client, Reply, Request
from memreason.llm.cache import RequestCache
from memreason.llm.meter import FREE, Meter, Price
from memreason.llm.open_client import ModelAddress, open_client


@dataclass(frozen=True)
class Agent:
    """The model that answers in a role: its client, its name, its price (None: not known)."""

    client: Client
    model: str
    price: Price | None


class Agents:
    """Answers requests: from the request cache, or else by asking an agent and keeping the reply."""

    def __init__(self, config: LabelConfig, agents: dict[str, Agent], cache: RequestCache, meter: Meter):
        self.run_name = str(Path(config.output).resolve())
        self.by_role, self.cache, self.meter = agents, cache, meter
        self._config, self._extra = config, config.extra  # which is read from JSON each time
        self.answered = 0
        self._under_way: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def request(self, ask: Ask) -> tuple[str, Request]:
        """(key for the cache, request) of ``ask``."""
        agent = self.by_role[ask.role]
        request = Request(
            agent.model, ask.messages, ask.form, ask.schema,
            self._config.max_tokens, self._config.temperature, self._extra,
        )  # fmt: skip
        json_mode = "" if self._config.structured == "auto" else f" {self._config.structured}"
        return request.key(agent.client.endpoint + json_mode), request

    def in_doubt(self, result: Labelled | Rejection) -> bool:
        """Whether ``result`` is a rejection because a request failed, and an endpoint has not answered since.

        The endpoint may be down then, and the question may not deserve the rejection.
        """
        clients = (agent.client for agent in self.by_role.values())
        failing = any(getattr(client, "failed_in_a_row", 0) for client in clients)
        return isinstance(result, Rejection) and result.reason == "request_failed" and failing

    async def answer(self, ask: Ask) -> Reply:
        """The reply. Raises RequestFailed, Stopped or UserError, as `Client.complete` does."""
        key, request = self.request(ask)
        # Equal requests at the same time: the first is sent, the others wait for its reply.
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
    """Role → agent, as the options say. If they name no knowledge agent, the planner has that role too.

    ``dtypes``: a local model's name → the data type that the run was begun with, which is used instead of `auto`.
    Raises UserError as `open_client` does.
    """

    def open_agent(address: ModelAddress) -> Agent:
        dtype = dtypes.get(address.name, "auto") if config.dtype == "auto" else config.dtype
        client, price = open_client(replace(address, dtype=dtype), meter, config)
        return Agent(client, address.name, price)

    planner = ModelAddress(config.planner, config.base_url, config.api_key_env, config.price)
    name = config.knowledge or planner.name
    knowledge = ModelAddress(
        name,
        config.knowledge_base_url or planner.base_url,
        config.knowledge_api_key_env or planner.key_variable,
        config.knowledge_price or (planner.price if name == planner.name else None),
        "knowledge_price",
    )
    own = (config.knowledge_base_url, config.knowledge_api_key_env, config.knowledge_price)
    opened = open_agent(planner)
    same = name == planner.name and not any(own)
    return {PLANNER: opened, KNOWLEDGE: opened if same else open_agent(knowledge)}
