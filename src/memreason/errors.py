"""The two ways a command can fail: through its input (exit code 2) or through us (exit code 1)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
"""C0 controls, escape among them → their pictures, of one cell each."""
_UNSEEN = [*range(0x80, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
"""C1 controls (which some terminals obey), and what turns the direction of a line around or breaks it."""
_PLAIN = _PICTURES | dict.fromkeys([*_UNSEEN, *range(0xD800, 0xE000)], 0xFFFD)
LONGEST = 2500
"""A message is cut in its middle beyond so many characters: it may quote a file, and ends with what to do."""


class UserError(Exception):
    """Bad input: the message says what is wrong, where (file:line, record id, flag), and what to do.

    The command line prints it without a traceback and exits with code 2. Any other exception is
    ours, and exits with code 1. What it quotes is shown as `plain` shows it.
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


def plain(text: object) -> str:
    """``text`` character for character, with a sign in the place of each that is none: control characters but for
    line breaks and tabs, halves of surrogates, changes of direction."""
    return str(text).translate(_PLAIN)
