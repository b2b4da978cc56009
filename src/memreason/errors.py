"""The two ways a command can fail: through its input (exit code 2) or through us (exit code 1)."""

LONGEST_MESSAGE = 1200
"""Characters; what is longer quotes a file at length, and loses its middle."""


class UserError(Exception):
    """Bad input: the message says what is wrong, where (file:line, record id, flag), and what to do.

    The command line prints it without a traceback and exits with code 2. Any other exception is
    ours, and exits with code 1. What a message quotes is somebody else's text: control characters and
    halves of surrogate pairs are escaped here, and a long message is cut in its middle.
    """

    def __init__(self, message: object = ""):
        super().__init__(_readable(str(message)))


class Unsupported(Exception):
    """A model's attention is of a kind that ours does not do; nothing was computed, and there is another way."""


def _readable(message: str) -> str:
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[: LONGEST_MESSAGE * 3 // 4]} … {message[-LONGEST_MESSAGE // 4 :]}"
    if message.isprintable():
        return message
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in message)
