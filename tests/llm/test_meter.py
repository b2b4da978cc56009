"""The meter: a budget that is never passed, reservations that come back, and rate limits that hold in any minute."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

import pytest

from memreason.errors import UserError
from memreason.llm.base import Reply, Request, Stopped
from memreason.llm.meter import FREE, Meter, Price, price_of

PRICE = Price(1.0, 2.0)


def request(text: str = "hello", max_tokens: int = 100) -> Request:
    return Request("m", ({"role": "user", "content": text},), "plan", {}, max_tokens)


class FakeClock(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer instead of passing."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self.now = 0.0
        real_select = self._selector.select  # type: ignore[attr-defined]

        def select(timeout: float | None) -> Any:
            self.now += (timeout or 0.0) + 1e-6  # a real clock never stands still
            return real_select(0)

        self._selector.select = select  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now


def on_fake_clock(work: Coroutine[Any, Any, None]) -> None:
    loop = FakeClock()
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


def most_in_a_minute(times: list[tuple[float, float]]) -> float:
    return max(
        sum(amount for time, amount in times if start <= time < start + 60) for start in {time for time, _ in times}
    )


class TestBudget:
    def test_what_is_set_aside_comes_back_with_the_reply_and_without_one(self) -> None:
        meter = Meter(max_cost=1.0)
        for reply in (Reply("x", "stop", 10, 20), None):
            meter.settle(meter.reserve(request(), PRICE), reply, PRICE)
        assert meter._reserved == pytest.approx(0, abs=1e-12)
        assert meter.cost == pytest.approx((1.0 * 10 + 2.0 * 20) / 1e6)
        assert meter.tokens == 30

    def test_no_request_is_begun_that_could_pass_the_budget_together_with_those_under_way(self) -> None:
        one = PRICE.cost(request().most_prompt_tokens, 100)
        meter = Meter(max_cost=3.5 * one)
        reserved = [meter.reserve(request(), PRICE) for _ in range(3)]
        with pytest.raises(Stopped, match="--max_cost"):
            meter.reserve(request(), PRICE)
        meter.settle(reserved[0], None, PRICE)
        meter.reserve(request(), PRICE)

    @pytest.mark.parametrize("text", ["plain words", "日本の首都はどこですか", "0123456789" * 5, "🦒🦒🦒"])
    def test_a_request_sets_aside_enough_even_where_every_byte_is_a_token(self, text: str) -> None:
        assert request(text).most_prompt_tokens >= len(text.encode())

    def test_a_request_that_only_lacks_what_others_set_aside_waits_for_its_turn(self) -> None:
        meter = Meter(max_cost=0.005)
        answered = []

        async def ask() -> None:
            reserved = await meter.reserve_in_turn(request(), PRICE)
            await asyncio.sleep(0.01)
            meter.settle(reserved, Reply("x", "stop", 1, 1), PRICE)
            answered.append(meter.cost)

        async def all_of_them() -> None:
            await asyncio.gather(*(ask() for _ in range(50)))

        asyncio.run(all_of_them())
        assert len(answered) == 50 and meter.cost <= 0.005

    def test_concurrent_requests_that_all_cost_their_most_stay_within_the_budget(self) -> None:
        meter = Meter(max_cost=0.005)
        outcomes = []

        async def ask() -> None:
            try:
                reserved = meter.reserve(request(), PRICE)
            except Stopped:
                outcomes.append("stopped")
                return
            await asyncio.sleep(0)
            meter.settle(reserved, Reply("x", "stop", request().most_prompt_tokens, 100), PRICE)
            outcomes.append("answered")

        async def all_of_them() -> None:
            await asyncio.gather(*(ask() for _ in range(100)))

        on_fake_clock(all_of_them())
        assert set(outcomes) == {"stopped", "answered"}
        assert 0 < meter.cost <= 0.005

    def test_free_agents_are_never_stopped_by_a_budget(self) -> None:
        meter = Meter(max_cost=0.0)
        assert meter.reserve(request(), FREE) == 0.0


class TestRequests:
    def test_a_run_stops_at_max_requests_counting_earlier_sittings(self) -> None:
        meter = Meter(max_requests=5, requests=3)

        async def ask() -> None:
            await meter.admit(request())
            await meter.admit(request())
            with pytest.raises(Stopped, match="--max_requests 5"):
                await meter.admit(request())

        on_fake_clock(ask())
        assert meter.requests == 5

    @pytest.mark.parametrize("limit", [1, 2, 7, 60, 500])
    def test_no_minute_sees_more_requests_than_the_limit(self, limit: int) -> None:
        meter, times = Meter(requests_per_minute=limit), []

        async def ask() -> None:
            await meter.admit(request())
            times.append((asyncio.get_running_loop().time(), 1.0))

        async def all_of_them() -> None:
            await asyncio.gather(*(ask() for _ in range(3 * limit)))

        on_fake_clock(all_of_them())
        assert most_in_a_minute(times) <= limit
        assert max(time for time, _ in times) < 60 * 7  # and nobody waits for ever

    @pytest.mark.parametrize("limit", [1000, 5000, 100_000])
    def test_no_minute_sees_more_tokens_than_the_limit_also_where_one_request_is_a_large_part_of_it(
        self, limit: int
    ) -> None:
        meter, times = Meter(tokens_per_minute=limit), []
        large = request(max_tokens=400)
        tokens = large.prompt_tokens + large.max_tokens

        async def ask() -> None:
            await meter.admit(large)
            times.append((asyncio.get_running_loop().time(), float(tokens)))

        async def one_after_the_other() -> None:
            for _ in range(2 * limit // tokens + 2):
                await ask()

        on_fake_clock(one_after_the_other())
        assert most_in_a_minute(times) <= limit


class TestPrice:
    def test_dollars_are_for_a_million_tokens(self) -> None:
        assert Price(0.15, 0.60).cost(1_000_000, 500_000) == pytest.approx(0.45)

    def test_a_known_model_has_its_listed_price_and_an_unknown_one_none(self) -> None:
        assert price_of("gpt-4o-mini", None, None, "price") == Price(0.15, 0.60)
        assert price_of("my-own-model", "http://127.0.0.1:1/v1", None, "price") is None

    def test_a_given_price_wins(self) -> None:
        assert price_of("gpt-4o-mini", None, "1, 2.5", "price") == Price(1.0, 2.5)

    @pytest.mark.parametrize("given", ["1", "1,2,3", "a,b", "", "-1,2", "nan,1", "inf,1"])
    def test_what_is_no_price_is_named_with_its_flag(self, given: str) -> None:
        with pytest.raises(UserError, match="--knowledge_price"):
            price_of("m", None, given, "knowledge_price")


def test_what_is_not_known_to_cost_anything_is_not_said_to_cost_nothing() -> None:
    assert Meter(cost=0.5).dollars(2) == "$0.50"
    assert Meter(priced=False).dollars(2) == "unknown cost"
    assert Meter(cost=0.5, priced=False).dollars(2) == "$0.50 + unknown cost"
