"""A model whose replies are kept, and paid for once."""

import asyncio
from contextlib import closing

import pytest

from memreason.llm.base import Reply, Request, RequestFailed
from memreason.llm.cache import RequestCache
from memreason.llm.meter import Meter, Price
from memreason.llm.paid import PaidModel

REQUEST = Request("m", ({"role": "user", "content": "Hello?"},), "answer", {})


class Counting:
    endpoint = "here"

    def __init__(self, fails: bool = False) -> None:
        self.fails, self.asked = fails, 0

    async def complete(self, request: Request) -> Reply:
        self.asked += 1
        if self.fails:
            raise RequestFailed("no")
        return Reply("Hello.", "stop", 10, 5)

    async def close(self) -> None:
        pass


def test_the_second_reply_comes_from_the_cache_and_costs_nothing(tmp_path) -> None:
    client, meter = Counting(), Meter(max_cost=1)
    with closing(RequestCache(tmp_path / "c.sqlite")) as cache:
        model = PaidModel(client, "m", Price(1, 2), cache, meter, "run", "judge")
        assert [asyncio.run(model.answer(REQUEST)).text for _ in range(2)] == ["Hello.", "Hello."]
        assert (client.asked, meter.cost) == (1, pytest.approx(20e-6))
        assert cache.spent("run").replies == 1
        other = PaidModel(client, "m", Price(1, 2), cache, meter, "run", "judge", " json_object")
        asyncio.run(other.answer(REQUEST))
    assert client.asked == 2


def test_a_failure_gives_back_what_was_reserved(tmp_path) -> None:
    meter = Meter(max_cost=1)
    with closing(RequestCache(tmp_path / "c.sqlite")) as cache:
        model = PaidModel(Counting(fails=True), "m", Price(1, 2), cache, meter, "run", "judge")
        with pytest.raises(RequestFailed):
            asyncio.run(model.answer(REQUEST))
        assert meter.cost == 0 and meter.reserve(REQUEST, Price(1, 2)) > 0
