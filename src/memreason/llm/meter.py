"""What a run sends and spends: its prices, its budget, and its rate limits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from aiolimiter import AsyncLimiter

from memreason.errors import UserError
from memreason.llm.base import Reply, Request, Stopped

_NOTHING = 1e-9
"""Dollars that sums of floats may leave over."""


class Price(NamedTuple):
    """Dollars a million tokens, read and written."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Dollars."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


FREE = Price(0.0, 0.0)


def price_of(model: str, base_url: str | None, given: str | None, flag: str) -> Price | None:
    """The price as ``given`` ("IN,OUT"), else as the `genai-prices` package lists it; None where it does not."""
    if given is not None:
        try:
            prompt, completion = (float(part) for part in given.split(","))
            if not (0 <= prompt < inf and 0 <= completion < inf):
                raise ValueError
            return Price(prompt, completion)
        except ValueError:
            raise UserError(
                f"--{flag} {given!r}: give dollars per million tokens read and written, as 0.15,0.60"
            ) from None
    from genai_prices import Usage, calc_price

    for known_url in (base_url, None):
        try:
            # Of a short request: some models cost more where a request is very long.
            usages = Usage(input_tokens=1000, output_tokens=0), Usage(input_tokens=0, output_tokens=1000)
            prices = [calc_price(usage, model, provider_api_url=known_url).total_price for usage in usages]
            return Price(1000 * float(prices[0]), 1000 * float(prices[1]))
        except LookupError:
            continue
    return None


def _limiter(per_minute: float, share: float) -> AsyncLimiter:
    """At most ``per_minute`` units in any minute: a burst of ``share`` of them, and the rest evenly."""
    burst = max(1.0, per_minute * share)
    return AsyncLimiter(burst, 60 * burst / max(per_minute - burst, per_minute / 2))


@dataclass
class Meter:
    """Counts what is sent and spent, lets a request pass when limits allow, and stops at the budget.

    ``max_cost`` (dollars) is never passed: each request sets aside what it may cost at most, and the
    unused part comes back with its reply. ``max_requests`` counts every request sent, retries too.
    Both are over the life of a run: ``cost`` and ``requests`` start at what earlier sittings used. Where some model's
    price is not known (``priced``), ``cost`` is that of the others.
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
        """What was spent, as far as that is known."""
        known = f"${self.cost:.{decimals}f}"
        if self.priced:
            return known
        return f"{known} + unknown cost" if self.cost else "unknown cost"

    def reserve(self, request: Request, price: Price) -> float:
        """Set aside what a request may cost at most, for `settle`. Raises Stopped where the budget lacks it."""
        amount = price.cost(request.most_prompt_tokens, request.max_tokens)
        if self.max_cost is not None and self.cost + self._reserved + amount > self.max_cost:
            raise Stopped(
                f"--max_cost {self.max_cost:g} reached: ${self.cost:.4f} spent, and the next request could cost "
                f"${amount:.4f}"
            )
        self._reserved += amount
        return amount

    async def reserve_in_turn(self, request: Request, price: Price) -> float:
        """As `reserve`, but while others have more set aside than they may need, waits for what comes back."""
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
        """Give back what was set aside, and count what the reply cost (none where there was no reply)."""
        self._reserved -= reserved
        self._settled.set()
        if reply is None:
            return 0.0
        cost = price.cost(reply.prompt_tokens, reply.completion_tokens)
        self.cost += cost
        self.tokens += reply.prompt_tokens + reply.completion_tokens
        return cost

    async def admit(self, request: Request) -> None:
        """Count a request about to be sent, and wait until the rate limits allow it. Raises Stopped."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            raise Stopped(f"--max_requests {self.max_requests} reached")
        self.requests += 1
        if self._by_request:
            await self._by_request.acquire()
        if self._by_token:
            tokens: float = request.prompt_tokens + request.max_tokens
            while tokens > 0:  # the limiter takes no more than its burst at once
                part = min(tokens, self._by_token.max_rate)
                await self._by_token.acquire(part)
                tokens -= part
