"""The two ways a command can fail: through its input (exit code 2) or through us (exit code 1)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from memreason.runtime.terminal import plain

LONGEST = 2500
"""A message is cut in its middle beyond so many characters: it may quote a file, and ends with what to do."""


class UserError(Exception):
    """Bad input: the message says what is wrong, where (file:line, record id, flag), and what to do.

    The command line prints it without a traceback and exits with code 2. Any other exception is
    ours, and exits with code 1. What it quotes is shown as `terminal.plain` does.
    """

    def __init__(self, message: str):
        text = plain(message)
        if len(text) > LONGEST:
            text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
        super().__init__(text)


class Unsupported(Exception):
    """A model's attention is of a kind that ours does not do; nothing was computed, and there is another way."""


_ALSO_CALLED = {"fp16": "float16", "half": "float16", "bf16": "bfloat16", "fp32": "float32", "float": "float32",
                "gpu": "cuda", "attention": "atten", "full": "none"}  # fmt: skip
"""What other tools call our names that look otherwise."""


def did_you_mean(word: str, known: Iterable[str], dashes: str = "") -> str:
    """`; did you mean NAME?` with the nearest of the ``known`` names, after ``dashes``; empty where none is near."""
    if (meant := _ALSO_CALLED.get(word.lower())) in (known := list(known)):
        return f"; did you mean {dashes}{meant}?"
    names = {name.lower().replace("-", "_"): name for name in known}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), names, 1)
    return f"; did you mean {dashes}{names[near[0]]}?" if near else ""
