"""Counts what a run sends and spends: prices, budget, and rate limits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from aiolimiter import AsyncLimiter

from memreason.errors import UserError
from memreason.llm.base import Reply, Request, Stopped

_NOTHING = 1e-9
"""Dollars; what rounding may leave of a sum that should be 0."""


class Price(NamedTuple):
    """Dollars per million tokens: ``prompt`` for tokens read, ``completion`` for tokens written."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """The price of these tokens, in dollars."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


FREE = Price(0.0, 0.0)


def price_of(model: str, base_url: str | None, given: str | None, flag: str) -> Price | None:
    """The price ``given`` as "IN,OUT", else the one that the package `genai-prices` lists; None if it lists none.

    Raises UserError, which names ``--flag``, if ``given`` is not a price.
    """
    if given is not None:
        try:
            prompt, completion = (float(part) for part in given.split(","))
            if not (0 <= prompt < inf and 0 <= completion < inf):
                raise ValueError
            return Price(prompt, completion)
        except ValueError:
            raise UserError(
                f"--{flag} {given!r}: give dollars per million tokens read and written, for example 0.15,0.60"
            ) from None
    from genai_prices import Usage, calc_price

    for known_url in (base_url, None):
        try:
            # The price of a short request: for some models, very long requests cost more per token.
            usages = Usage(input_tokens=1000, output_tokens=0), Usage(input_tokens=0, output_tokens=1000)
            prices = [calc_price(usage, model, provider_api_url=known_url).total_price for usage in usages]
            return Price(1000 * float(prices[0]), 1000 * float(prices[1]))
        except LookupError:
            continue
    return None


def _limiter(per_minute: float, share: float) -> AsyncLimiter:
    """Allows at most ``per_minute`` units in any minute: ``share`` of them in one burst, the others evenly spread."""
    burst = max(1.0, per_minute * share)
    return AsyncLimiter(burst, 60 * burst / max(per_minute - burst, per_minute / 2))


@dataclass
class Meter:
    """Counts what is sent and spent, lets requests pass when the rate limits allow, and stops at the budget.

    ``max_cost`` (dollars) is never exceeded: each request reserves the most that it can cost, and the part that it did
    not use comes back with its reply. ``max_requests`` counts every request that is sent, retries too. Both hold for
    all sittings of a run: ``cost`` and ``requests`` start at what earlier sittings used. ``priced`` is False if the
    price of some model is not known; ``cost`` is then the cost of the other models.
    """

    max_requests: int | None = None
    max_cost: float | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    cost: float = 0.0
    requests: int = 0
    tokens: int = 0
    retries: int = 0
    priced: bool = True
    _reserved: float = 0.0
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _by_request: AsyncLimiter | None = None
    _by_token: AsyncLimiter | None = None

    def __post_init__(self) -> None:
        if self.requests_per_minute:
            self._by_request = _limiter(self.requests_per_minute, 1 / 20)
        if self.tokens_per_minute:
            self._by_token = _limiter(self.tokens_per_minute, 1 / 4)

    def dollars(self, decimals: int) -> str:
        """What was spent, as a text: the known cost, and a remark if some of it is unknown."""
        known = f"${self.cost:.{decimals}f}"
        if self.priced:
            return known
        return f"{known} + unknown cost" if self.cost else "unknown cost"

    def reserve(self, request: Request, price: Price) -> float:
        """Reserve the most that a request can cost, in dollars, for `settle`. Raises Stopped if the budget lacks it."""
        amount = price.cost(request.most_prompt_tokens, request.max_tokens)
        if self.max_cost is not None and self.cost + self._reserved + amount > self.max_cost:
            raise Stopped(
                f"--max_cost {self.max_cost:g} reached: ${self.cost:.4f} spent, and the next request could cost "
                f"${amount:.4f}"
            )
        self._reserved += amount
        return amount

    async def reserve_in_turn(self, request: Request, price: Price) -> float:
        """As `reserve`, but as long as other requests have reservations, waits for what they give back."""
        most = price.cost(request.most_prompt_tokens, request.max_tokens)
        while (
            self._reserved > _NOTHING
            and self.max_cost is not None
            and self.cost + self._reserved + most > self.max_cost
        ):
            self._settled.clear()
            await self._settled.wait()
        return self.reserve(request, price)

    def settle(self, reserved: float, reply: Reply | None, price: Price) -> float:
        """Give back a reservation, and count the cost of the reply; returns this cost, 0 if there was no reply."""
        self._reserved -= reserved
        self._settled.set()
        if reply is None:
            return 0.0
        cost = price.cost(reply.prompt_tokens, reply.completion_tokens)
        self.cost += cost
        self.tokens += reply.prompt_tokens + reply.completion_tokens
        return cost

    async def admit(self, request: Request) -> None:
        """Count a request, and wait until the rate limits allow it to be sent. Raises Stopped at ``max_requests``."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            raise Stopped(f"--max_requests {self.max_requests} reached")
        self.requests += 1
        if self._by_request:
            await self._by_request.acquire()
        if self._by_token:
            tokens: float = request.prompt_tokens + request.max_tokens
            while tokens > 0:  # the limiter accepts at most its burst at a time
                part = min(tokens, self._by_token.max_rate)
                await self._by_token.acquire(part)
                tokens -= part
