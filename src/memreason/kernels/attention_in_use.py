"""Which attention a model uses: transformers has a method to set it, and only a private name to read it."""

from __future__ import annotations

from typing import Any


def attention_in_use(config: Any) -> str:
    """The attention of the model with this config, as `model.set_attn_implementation` takes it: `eager`, `sdpa`, …"""
    return config._attn_implementation
