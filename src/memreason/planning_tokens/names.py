"""The names of planning tokens: `<memory_0>`, `<memory_1>`, … are those of the kind `memory`."""

from __future__ import annotations

import re

from memreason.records import MEMORY

PREFIX, ANSWER = "prefix", "answer"
"""The two kinds of token that are not step types: those at the start of every line, and those of the answer line."""
SPELLINGS = {"rag": MEMORY}
"""Step type in the files of other groups → our name for it."""
TOKEN = re.compile(r"<([^<>\s]+)_(\d+)>")
"""Matches one planning token; the groups are its kind and its number."""


def token_names(kind: str, count: int) -> list[str]:
    """The names of the ``count`` tokens of a kind."""
    return [f"<{kind}_{number}>" for number in range(count)]
