"""The two ways a command can fail: through its input (exit code 2) or through us (exit code 1)."""


class UserError(Exception):
    """Bad input: the message says what is wrong, where (file:line, record id, flag), and what to do.

    The command line prints it without a traceback and exits with code 2. Any other exception is
    ours, and exits with code 1.
    """


class Unsupported(Exception):
    """A model's attention is of a kind that ours does not do; nothing was computed, and there is another way."""
