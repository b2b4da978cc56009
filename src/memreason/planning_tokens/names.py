"""What planning tokens are called: `<memory_0>`, `<memory_1>`, … of a kind `memory`."""

from __future__ import annotations

import re

from memreason.records import MEMORY

PREFIX, ANSWER = "prefix", "answer"
"""The kinds of token that are no step types: those of every line, and those of the answer line."""
SPELLINGS = {"rag": MEMORY}
"""Type names in other groups' files, and ours for them."""
TOKEN = re.compile(r"<([^<>\s]+)_(\d+)>")
"""One planning token: its kind and its number."""


def token_names(kind: str, count: int) -> list[str]:
    """The names of the ``count`` tokens of a kind."""
    return [f"<{kind}_{number}>" for number in range(count)]
