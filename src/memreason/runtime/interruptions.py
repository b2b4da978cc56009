"""How a command ends when something outside of it ends it: a signal, a full disk, a folder that cannot be written."""

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
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


class Ended(KeyboardInterrupt):
    """A signal has ended the command, as Ctrl-C does."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `Ended` in the main thread where a signal would end the process without a word. A second one does so."""
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
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # `nohup` lets one be ignored
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is end:
                signal.signal(number, handler)


def run_until_ended(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run`, in which a signal that raises `Ended` cancels what is under way first, as Ctrl-C does.

    Raised from within a task, it would leave others with exceptions that nobody looks at, which asyncio complains of.
    """
    import asyncio  # which a command without it need not wait for

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
        raise Ended(ended[0]) from None
    finally:
        for number, handler in handled.items():  # the loop has left the system's own
            signal.signal(number, handler)


def explain(error: OSError) -> tuple[str, int]:
    """(what to say of ``error``, the exit code: 2 where the user named a place that cannot be written)."""
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
    """The OSError behind what safetensors or torch raise when ``folder`` takes no more; None where there is none."""
    if found := re.search(r"\(os error (\d+)\)", str(error)):
        number = int(found[1])
    elif isinstance(error, RuntimeError) and "inline_container" in str(error):
        # torch.save's writer hides the reason: a limit of this process where there is one, and room.
        limited = resource is not None and resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
        number = errno.EFBIG if limited and shutil.disk_usage(folder).free > 2**24 else errno.ENOSPC
    else:
        return None
    return OSError(number, os.strerror(number), str(folder))
