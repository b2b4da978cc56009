"""The errors that memreason raises itself, and how a message is made safe to print.

A command fails either because of its input (`UserError`, exit code 2) or because of a bug of ours (exit code 1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
"""C0 control characters (escape is one) → the visible signs for them, each one cell wide."""
_UNSEEN = [*range(0x80, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
"""C1 control characters (some terminals obey them), and characters that change the direction of a line or break it."""
_PLAIN = _PICTURES | dict.fromkeys([*_UNSEEN, *range(0xD800, 0xE000)], 0xFFFD)
LONGEST = 2500
"""Most characters of a message. A longer one, which may quote a file, loses its middle: its end says what to do."""


class UserError(Exception):
    """Bad input: the message says what is wrong, where (file:line, record id, flag), and what to do.

    The command line prints the message without a traceback and exits with code 2. Any other exception is a bug of
    ours and exits with code 1. The message goes through `plain`, and is cut to `LONGEST` characters.
    """

    def __init__(self, message: str):
        text = plain(message)
        if len(text) > LONGEST:
            text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
        super().__init__(text)


class NoRoom(UserError):
    """Too few tokens are left for an answer."""


class Unsupported(Exception):
    """Our own attention cannot compute this model's kind of attention. Nothing was computed; use another way."""


_ALSO_CALLED = {"fp16": "float16", "half": "float16", "bf16": "bfloat16", "fp32": "float32", "float": "float32",
                "gpu": "cuda", "attention": "atten", "full": "none"}  # fmt: skip
"""Name in other tools → our name, where the two do not look alike."""


def did_you_mean(word: str, known: Iterable[str], dashes: str = "") -> str:
    """`; did you mean NAME?` with the ``known`` name nearest to ``word``; empty where none is near.

    ``dashes`` (for a flag: `--`) are written before NAME.
    """
    if (meant := _ALSO_CALLED.get(word.lower())) in (known := list(known)):
        return f"; did you mean {dashes}{meant}?"
    names = {name.lower().replace("-", "_"): name for name in known}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), names, 1)
    return f"; did you mean {dashes}{names[near[0]]}?" if near else ""


def plain(text: object) -> str:
    """``text`` with a visible sign in the place of each character that cannot be shown.

    These are control characters (line breaks and tabs are kept), halves of surrogate pairs, and characters that
    change the direction of a line. The number of characters stays the same.
    """
    return str(text).translate(_PLAIN)
