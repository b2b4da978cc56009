"""The two ways a command can fail: through its input (exit code 2) or through us (exit code 1)."""

from memreason.terminal import plain

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
