"""What a model's name means, and what it costs."""

import pytest

from memreason.errors import UserError
from memreason.label.config import InspectConfig
from memreason.llm.meter import FREE, Meter, Price
from memreason.llm.open_client import BACKENDS, ENDPOINT, ModelAddress, backend_of, open_client

SETTINGS = InspectConfig("solutions.jsonl")


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("scripted", BACKENDS["scripted"]),
        ("local:smollm2", BACKENDS["local:"]),
        ("local:/a/folder:with/colons", BACKENDS["local:"]),
        ("gpt-4o-mini", ENDPOINT),
        ("qwen/qwen3:free", ENDPOINT),
        ("scripted-model", ENDPOINT),
        ("local", ENDPOINT),
    ],
)
def test_a_name_means_what_the_table_says_and_else_a_model_of_an_endpoint(name: str, backend: object) -> None:
    assert backend_of(name) is backend


def test_what_runs_here_is_free_also_within_a_budget() -> None:
    client, price = open_client(ModelAddress("scripted"), Meter(max_cost=0.0), SETTINGS)
    assert (client.endpoint, price) == ("scripted", FREE)


def test_a_budget_needs_a_price() -> None:
    address = ModelAddress("of-our-own", "http://127.0.0.1:1/v1", price_flag="knowledge_price")
    with pytest.raises(UserError, match=r"price of of-our-own, .* give it with --knowledge_price IN,OUT"):
        open_client(address, Meter(max_cost=1.0), SETTINGS)
    meter = Meter()
    assert open_client(address, meter, SETTINGS)[1] is None and not meter.priced
    priced = ModelAddress("of-our-own", "http://127.0.0.1:1/v1", price="1,2")
    assert open_client(priced, Meter(max_cost=1.0), SETTINGS)[1] == Price(1.0, 2.0)
