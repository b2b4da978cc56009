"""How a command ends when something outside ends it: a signal, a full disk, a folder that cannot be written to."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

Result = TypeVar("Result")

try:
    import resource
except ImportError:  # Windows, which has no limits of this kind
    resource = None  # type: ignore[assignment]

_SIGNALS = ("SIGTERM", "SIGHUP")
_AGAIN = "no half-written file is left under a final name. {} and run again (train: with --resume)"
_NO_ROOM = {
    errno.ENOSPC: "the disk is full{}; " + _AGAIN.format("Free some space"),
    errno.EDQUOT: "the disk quota is used up{}; " + _AGAIN.format("Free some space of yours"),
    errno.EFBIG: "a limit on the size of files is reached{}; " + _AGAIN.format("Raise it (ulimit -f unlimited)"),
}
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


class Ended(KeyboardInterrupt):
    """A signal ended the command, as Ctrl-C would; ``number`` is the signal's."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `Ended` in the main thread where SIGTERM or SIGHUP would end the process at once.

    A second such signal ends the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own, before = os.getpid(), {}

    def end(number: int, _: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != own:  # a process forked from this one, such as a data loader's, ends as usual
            os.kill(os.getpid(), number)
        raise Ended(number)

    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # under `nohup`, SIGHUP stays ignored
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is end:
                signal.signal(number, handler)


def run_until_ended(main: Coroutine[Any, Any, Result]) -> Result:
    """Like `asyncio.run`, but a signal that raises `Ended` first cancels the running tasks, as Ctrl-C does.

    If `Ended` were raised inside a task, other tasks would keep exceptions that nobody retrieves, and asyncio would
    warn about them.
    """
    import asyncio  # here, because commands without it should not wait for this import

    handled = {number: signal.getsignal(number) for name in _SIGNALS if (number := getattr(signal, name, None))}
    handled = {number: handler for number, handler in handled.items() if callable(handler)}
    ended: list[int] = []

    async def cancellable() -> Result:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def end(number: int) -> None:
            ended.append(number)
            task.cancel()

        with contextlib.suppress(NotImplementedError):  # on Windows
            for number in handled:
                loop.add_signal_handler(number, end, number)
        return await main

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        if not ended:  # cancelled from within
            raise
        raise Ended(ended[0]) from None
    finally:
        for number, handler in handled.items():  # the loop has put the system's own handlers in their place
            signal.signal(number, handler)


def explain(error: OSError) -> tuple[str, int]:
    """(message about ``error``, exit code): 2 where the user named a place that cannot be written to, else 1."""
    place = error.filename
    if error.errno in _NO_ROOM:
        return _NO_ROOM[error.errno].format(f" while writing {place}" if place else ""), 1
    if error.errno in _NOT_WRITABLE and place is not None:
        return (
            f"{place}: {error.strerror}; make it readable and writable, or give another place (--output_dir, --output; "
            "for what is kept between commands, the environment variable MEMREASON_CACHE)"
        ), 2
    if error.errno == errno.EMFILE:
        return "too many files are open at once; raise the limit (ulimit -n 4096) and run again", 1
    return f"{type(error).__name__}: {error}", 1


def as_os_error(error: BaseException, folder: Path) -> OSError | None:
    """The OSError behind an error that safetensors or torch raised while writing to ``folder``; None for others."""
    if match := re.search(r"\(os error (\d+)\)", str(error)):
        number = int(match[1])
    elif isinstance(error, RuntimeError) and "inline_container" in str(error):
        # torch.save hides the reason. If this process has a limit on file sizes and the disk has room, it is the limit.
        limited = resource is not None and resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
        number = errno.EFBIG if limited and shutil.disk_usage(folder).free > 2**24 else errno.ENOSPC
    else:
        return None
    return OSError(number, os.strerror(number), str(folder))
