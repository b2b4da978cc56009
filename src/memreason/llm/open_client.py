"""A model's name → the client that speaks to it, and its price.

`BACKENDS` holds every kind of model that a name can mean. A new kind takes a file with its client, a function here
that makes one, and a line in that table. Clients are imported only when one is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from memreason.errors import UserError
from memreason.llm.base import Client
from memreason.llm.meter import FREE, Meter, Price, price_of

CONCURRENCY = 32
"""Requests under way at once, where neither the options nor the backend say otherwise."""


class ClientSettings(Protocol):
    """The options that all clients of a run share, of `LabelConfig` and `InspectConfig`."""

    timeout: float
    retries: int
    batch_size: int
    dtype: str
    device: str

    @property
    def concurrency(self) -> int | None:
        """Requests under way at once."""


@dataclass(frozen=True)
class ModelAddress:
    """One model as the options name it.

    ``key_variable`` is the environment variable with the endpoint's key. ``price`` is what the flag ``price_flag``
    says, "IN,OUT" in dollars per million tokens. ``dtype`` is the data type of a local model's weights.
    """

    name: str
    base_url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    price: str | None = None
    price_flag: str = "price"
    dtype: str = "auto"


Opener = Callable[[ModelAddress, Meter, ClientSettings], Client]


class Backend(NamedTuple):
    """One kind of model. ``runs_here``: in this process, free of charge, without asynchronous batches.
    ``in_batches``: answers `batch_size` requests at once."""

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
"""A model's whole name, or the beginning of it up to a colon → what it means. Any other name is an endpoint's."""
ENDPOINT = Backend(_endpoint, runs_here=False)


def backend_of(name: str) -> Backend:
    """The backend that a model's name means."""
    prefix, colon, _ = name.partition(":")
    return BACKENDS.get(prefix + colon, ENDPOINT)


def open_client(address: ModelAddress, meter: Meter, settings: ClientSettings) -> tuple[Client, Price | None]:
    """(client, price) of a model; price None: not known.

    Raises UserError where a budget is set and the price is not known, and where the model cannot be used.
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
