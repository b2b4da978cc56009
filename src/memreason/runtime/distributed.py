"""Several processes that do one job together, started by `torchrun` or `accelerate launch`: ranks, and sharing work.

One process is the common case: then nothing here communicates, waits or costs anything.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from array import array
from collections.abc import Callable
from typing import Any, TypeVar

from memreason.errors import UserError
from memreason.runtime.devices import choose_device
from memreason.runtime.disk_list import DiskList
from memreason.runtime.terminal import say

Item = TypeVar("Item")
Result = TypeVar("Result")
_AT_ONCE = 1000
"""How many results the processes exchange at a time."""


def launched() -> bool:
    """Whether a launcher started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", 1)) > 1 and "LOCAL_RANK" in os.environ


def start(device: str = "auto") -> None:
    """Connect to the other processes, if there are any. `memreason train` does not need it: TrainingArguments do it."""
    if launched() and world_size() == 1:
        from accelerate import PartialState

        PartialState(cpu=choose_device(device).type == "cpu")


def end() -> None:
    """Wait until all processes are done, and exit; a single process goes on.

    The exit skips Python's own shutdown. During that, a thread of a library that still runs can abort the process
    ("terminate called without an active exception"), and the launcher would then report a failure.
    """
    if world_size() > 1:
        wait_for_everyone()
        _distributed().destroy_process_group()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _distributed() -> Any:
    """torch.distributed, if it is imported and initialised, else None. It is not imported here: that takes seconds."""
    module = sys.modules.get("torch.distributed")
    return module if module and module.is_available() and module.is_initialized() else None


def world_size() -> int:
    """The number of processes."""
    distributed = _distributed()
    return distributed.get_world_size() if distributed else 1


def rank() -> int:
    """This process's number, from 0."""
    distributed = _distributed()
    return distributed.get_rank() if distributed else 0


def is_main() -> bool:
    """Whether this process is the one that writes files and talks to the user."""
    return rank() == 0


def wait_for_everyone() -> None:
    """Wait until every process has called this."""
    if world_size() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def any_rank(flag: bool) -> bool:
    """Whether ``flag`` is true in any process. Every process must call this, and there must be several."""
    import torch
    from accelerate import PartialState

    value = torch.tensor([int(flag)], device=PartialState().device)
    _distributed().all_reduce(value)
    return bool(value.item())


def gather(value: Result) -> list[Result]:
    """The ``value`` of each process, in order of rank; every process gets all of them. Values must be picklable."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    _distributed().all_gather_object(values, value)
    return values


def check_same(what: str, value: Any) -> None:
    """Raise UserError where not all processes have the same ``value``; messages call it ``what``."""
    values = gather(value)
    for other, theirs in enumerate(values):
        if theirs != values[0]:
            raise UserError(
                f"process {other} has other {what} than process 0 ({theirs!r}, not {values[0]!r}): all of them need "
                "the same files and the same versions of the libraries"
            )


OnResult = Callable[[int, Result], None]
"""Called with the index of an item in a share, and its result."""


def share(
    items: DiskList[Item],
    work: Callable[[DiskList[Item], OnResult[Result]], None],
    size: Callable[[Item], int],
) -> DiskList[Result]:
    """Divide the items among all processes, do ``work`` on each share, and give all results to every process.

    ``work`` gets a share of the items and a function. It calls that function once for each item, in any order, with
    the index of the item in the share and its result. The results returned are in the order of the items. Items are
    dealt out one after another in the order of their ``size``, so that the shares are about equal. Memory grows by
    some bytes for each item, however large it is.
    """
    import numpy as np

    dealt = np.argsort(np.fromiter(map(size, items), np.int64, len(items)), kind="stable")
    mine = np.sort(dealt[rank() :: world_size()])
    done: DiskList[Result] = DiskList()
    places = array("q")

    def on_result(place: int, result: Result) -> None:
        places.append(place)
        done.append(result)

    work(items.chosen(mine), on_result)
    done = done.chosen(np.argsort(np.frombuffer(places, np.int64)))
    if world_size() == 1:
        return done
    results: DiskList[Result] = DiskList()
    for start in range(0, len(items), _AT_ONCE):
        first, last = np.searchsorted(mine, (start, start + _AT_ONCE))
        shares = gather(list(zip(mine[first:last].tolist(), done[first:last], strict=True)))
        for _, result in sorted((pair for share in shares for pair in share), key=lambda pair: pair[0]):
            results.append(result)
    return results


# ---- when something goes wrong -----------------------------------------------------------------


def say_once(message: str, if_nothing_was_said: bool = False) -> None:
    """Print ``message`` to stderr, unless another process has printed the same one.

    With ``if_nothing_was_said``, print it only if no process has printed anything. The first process that comes here
    prints, and not always the main one: when one process ends, the launcher ends all others.
    """
    if not launched() or _is_first(message, if_nothing_was_said):
        say(message)


def _is_first(message: str, to_say_anything: bool) -> bool:
    """Whether this process is the first one to print, by the launcher's store, which outlives the processes.

    Without such a store, only rank 0 prints.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return os.environ.get("RANK", "0") == "0"
    from datetime import timedelta

    from torch.distributed import TCPStore

    try:
        store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), timeout=timedelta(seconds=5))
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT")
        counts = {text: store.add(f"memreason/{attempt}/{text}", 1) for text in ("anything", message)}
    except RuntimeError:  # the launcher, or its machine, is gone
        return True
    return counts["anything" if to_say_anything else message] == 1


def lost_another(error: BaseException) -> bool:
    """Whether ``error`` means that another process cannot be reached any more."""
    if world_size() == 1:
        return False
    signs = ("gloo", "Gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")
    return isinstance(error, _distributed().DistError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
    )


def say_when_ended(message: str) -> None:
    """When the launcher ends this process (SIGTERM), print ``message`` if no process has printed anything, and exit.

    A thread of its own does this: the main thread may be waiting inside a library for a process that died, and
    Python's signal handlers do not run there. On Windows, which has no such signals, nothing happens.
    """
    if not hasattr(os, "register_at_fork"):
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def wait() -> None:
        while number := os.read(reading, 1):
            if number[0] == signal.SIGTERM:
                say_once(message, if_nothing_was_said=True)
                os._exit(128 + signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
    # A process forked from this one, such as a data loader's, ends as usual.
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
