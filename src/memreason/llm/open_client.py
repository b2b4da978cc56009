"""Opens the client for a model's name, and finds its price.

`BACKENDS` lists the kinds of models that a name can mean. To add a kind, write a file with its client, a function here
that makes the client, and a line in `BACKENDS`. The file of a client is imported only when such a client is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from memreason.errors import UserError
from memreason.llm.base import Client
from memreason.llm.meter import FREE, Meter, Price, price_of

CONCURRENCY = 32
"""How many requests are under way at the same time, if neither the options nor the backend say otherwise."""


class ClientSettings(Protocol):
    """The options that all clients of a run share; `LabelConfig` and `InspectConfig` have them."""

    timeout: float
    retries: int
    batch_size: int
    dtype: str
    device: str

    @property
    def concurrency(self) -> int | None:
        """How many requests are under way at the same time."""


@dataclass(frozen=True)
class ModelAddress:
    """One model, as the options name it.

    ``key_variable`` is the environment variable that holds the endpoint's key. ``price`` is the value of the flag
    ``price_flag``: "IN,OUT" in dollars per million tokens. ``dtype`` is the data type of a local model's weights.
    """

    name: str
    base_url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    price: str | None = None
    price_flag: str = "price"
    dtype: str = "auto"


Opener = Callable[[ModelAddress, Meter, ClientSettings], Client]


class Backend(NamedTuple):
    """One kind of model.

    ``runs_here``: it runs in this process, costs nothing, and has no asynchronous batches. ``in_batches``: it answers
    `batch_size` requests at a time.
    """

    open: Opener
    runs_here: bool = True
    in_batches: bool = False


def _scripted(address: ModelAddress, meter: Meter, settings: ClientSettings) -> Client:
    from memreason.llm.scripted import ScriptedAgent

    return ScriptedAgent(meter)


def _local(address: ModelAddress, meter: Meter, settings: ClientSettings) -> Client:
    from memreason.llm.local import LocalModel

    return LocalModel(address.name.removeprefix("local:"), meter, settings.batch_size, address.dtype, settings.device)


def _endpoint(address: ModelAddress, meter: Meter, settings: ClientSettings) -> Client:
    from memreason.llm.openai_api import OpenAIEndpoint

    return OpenAIEndpoint(
        meter, base_url=address.base_url, key_variable=address.key_variable,
        structured=getattr(settings, "structured", "auto"), timeout=settings.timeout, retries=settings.retries,
        down_after=max(20, 2 * (settings.concurrency or CONCURRENCY)),
    )  # fmt: skip


BACKENDS = {"scripted": Backend(_scripted), "local:": Backend(_local, in_batches=True)}
"""A model's whole name, or its beginning up to the colon → its kind. Any other name is that of an endpoint's model."""
ENDPOINT = Backend(_endpoint, runs_here=False)


def backend_of(name: str) -> Backend:
    """The kind of model that a name means."""
    prefix, colon, _ = name.partition(":")
    return BACKENDS.get(prefix + colon, ENDPOINT)


def open_client(address: ModelAddress, meter: Meter, settings: ClientSettings) -> tuple[Client, Price | None]:
    """(client, price) of a model; price None: not known.

    Raises UserError if there is a budget and the price is not known, and if the model cannot be used.
    """
    backend = backend_of(address.name)
    if backend.runs_here:
        return backend.open(address, meter, settings), FREE
    price = price_of(address.name, address.base_url, address.price, address.price_flag)
    if price is None and meter.max_cost is not None:
        raise UserError(
            f"--max_cost needs the price of {address.name}, which is not listed; give it with --{address.price_flag} "
            "IN,OUT"
        )
    meter.priced &= price is not None
    return backend.open(address, meter, settings), price
