"""A model that is asked each thing once: a reply comes from the request cache, or is paid for within the budget."""

from __future__ import annotations

from dataclasses import dataclass

from memreason.llm.base import Client, Reply, Request
from memreason.llm.cache import RequestCache
from memreason.llm.meter import FREE, Meter, Price


@dataclass(frozen=True)
class PaidModel:
    """A client with the cache of its replies, and the meter that counts what they cost.

    ``run`` and ``role`` say in the cache whose replies these are; ``price`` None: not known. ``manner`` is what changes
    the reply besides the request, and goes into the key.
    """

    client: Client
    model: str
    price: Price | None
    cache: RequestCache
    meter: Meter
    run: str
    role: str
    manner: str = ""

    async def answer(self, request: Request) -> Reply:
        """The reply. Raises RequestFailed, Stopped or UserError, as `Client.complete` does."""
        key = request.key(self.client.endpoint + self.manner)
        if reply := self.cache.get(key):
            return reply
        price = self.price or FREE
        reserved, reply = await self.meter.reserve_in_turn(request, price), None
        try:
            reply = await self.client.complete(request)
        finally:
            cost = self.meter.settle(reserved, reply, price)
        self.cache.put(key, self.run, self.role, self.model, reply, cost)
        return reply
