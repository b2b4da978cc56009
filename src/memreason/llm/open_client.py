"""A model's name → the client that speaks to it, and its price."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from memreason.errors import UserError
from memreason.llm.base import Client
from memreason.llm.meter import FREE, Meter, Price, price_of

SCRIPTED, LOCAL = "scripted", "local:"


class ClientSettings(Protocol):
    """The options that clients share, of `LabelConfig` and `InspectConfig`."""

    timeout: float
    retries: int
    batch_size: int
    dtype: str
    device: str

    @property
    def concurrency(self) -> int | None:
        """Requests under way at once."""


def open_client(
    name: str,
    meter: Meter,
    *,
    base_url: str | None,
    key_variable: str,
    price: str | None,
    flag: str,
    settings: ClientSettings,
    dtypes: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Client, str, Price | None]:
    """(client, model, price) of `scripted`, `local:NAME`, or a model of an OpenAI-compatible endpoint.

    ``dtypes`` are the data types that local models were begun with, in the place of `auto`.
    Raises UserError where a budget is set and the model's price is not known.
    """
    if name == SCRIPTED:
        from memreason.llm.scripted import ScriptedAgent

        return ScriptedAgent(meter), name, FREE
    if name.startswith(LOCAL):
        from memreason.llm.local import LocalModel

        dtype = dtypes.get(name, "auto") if settings.dtype == "auto" else settings.dtype
        model = LocalModel(name.removeprefix(LOCAL), meter, settings.batch_size, dtype, settings.device)
        return model, name, FREE
    known = price_of(name, base_url, price, flag)
    if known is None and meter.max_cost is not None:
        raise UserError(f"--max_cost needs the price of {name}, which is not listed; give it with --{flag} IN,OUT")
    meter.priced &= known is not None
    from memreason.llm.openai_api import OpenAIEndpoint

    client = OpenAIEndpoint(
        meter, base_url=base_url, key_variable=key_variable, structured=getattr(settings, "structured", "auto"),
        timeout=settings.timeout, retries=settings.retries, down_after=max(20, 2 * (settings.concurrency or 32)),
    )  # fmt: skip
    return client, name, known
