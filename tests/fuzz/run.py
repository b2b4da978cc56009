"""Damaged files through every reader. `make fuzz`: 50,000 of them, a count by kind, and what failed.

The rule: a damaged file is read, or refused by a UserError that names the place; nothing else is raised, nothing
takes 10 seconds or a gigabyte, and what is read is no nonsense.
"""

import argparse
import logging
import os
import re
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
sys.path.insert(0, str(Path(__file__).parents[1]))

from datasets.utils.logging import disable_progress_bar as disable_progress_bars
from fuzz.kinds import KINDS, Kind
from fuzz.mutate import Mutator
from transformers.utils import logging as transformers_logging

from memreason.errors import UserError

SECONDS, BYTES = 10, 1 << 30


class TooSlow(BaseException):
    """No Exception, so that no reader takes it for a fault of the file."""


@contextmanager
def _within_limits() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TooSlow

    before = _most_memory(anew=True)
    former = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    if _most_memory() - before > BYTES:
        raise MemoryError


def _most_memory(anew: bool = False) -> int:
    """The most bytes that this process has held; since the last call with ``anew``, where the system tells that."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) * 1024


def attempt(kind: Kind, folder: Path, content: bytes) -> str:
    """accepted, refused, or what is wrong with how ``content`` was read in the place of the kind's file."""
    path = folder / kind.file
    path.write_bytes(content)
    try:
        with _within_limits():
            result = kind.read(folder)
    except kind.refusals:
        return "refused"
    except UserError as error:
        message = str(error)
        if kind.place not in message:
            return f"NO PLACE {message[:300]}"
        if len(message) > 3000 or not message.replace("\n", "").replace("\t", "").isprintable():
            return f"MESSAGE {message[:300]!r}"
        return "refused"
    except TooSlow:
        return f"SLOW {SECONDS} seconds"
    except MemoryError:
        return "MEMORY a gigabyte"
    except (Exception, SystemExit):
        return f"RAISED {traceback.format_exc(limit=-3)[-700:]}"
    wrong = kind.nonsense(result)
    return f"NONSENSE {wrong}" if wrong else "accepted"


def inputs(name: str, kind: Kind, valid: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """(seed, damaged content), the same for the same name and number."""
    for number in range(count):
        seed = f"{name}-{number}"
        yield seed, kind.form(Mutator(seed), valid)


def run(name: str, folder: Path, count: int) -> tuple[Counter[str], list[tuple[str, str]]]:
    """(how many were accepted, refused and failed, [(seed, what failed)])."""
    kind = KINDS[name]
    kind.make(folder)
    valid = (folder / kind.file).read_bytes()
    if (as_it_was := attempt(kind, folder, valid)) != "accepted":
        return Counter(failed=1), [("the valid file", as_it_was)]
    counts: Counter[str] = Counter()
    failures = []
    for seed, content in inputs(name, kind, valid, count):
        found = attempt(kind, folder, content)
        counts[found if found in ("accepted", "refused") else "failed"] += 1
        if found not in ("accepted", "refused"):
            failures.append((seed, found))
    return counts, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=50_000, help="of all kinds together")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), help="only these")
    parser.add_argument("--show", type=int, default=3, help="failures to print of each kind")
    options = parser.parse_args()
    whole = sum(KINDS[name].share for name in options.kinds)
    total: Counter[str] = Counter()
    logging.disable()
    warnings.simplefilter("ignore")
    transformers_logging.disable_progress_bar()
    disable_progress_bars()
    print(f"{'kind':<26}{'inputs':>8}{'accepted':>10}{'refused':>9}{'failed':>8}", flush=True)
    for name in options.kinds:
        count = round(options.inputs * KINDS[name].share / whole)
        with tempfile.TemporaryDirectory() as folder:
            counts, failures = run(name, Path(folder), count)
        total += counts
        line = f"{name:<26}{counts.total():>8}{counts['accepted']:>10}{counts['refused']:>9}{counts['failed']:>8}"
        print(line, flush=True)
        kinds_of_failure = {what.split("\n")[-2] if what.startswith("RAISED") else what[:90]: (seed, what)
                            for seed, what in failures}  # fmt: skip
        for seed, what in list(kinds_of_failure.values())[: options.show]:
            print(f"    {seed}: {what}", flush=True)
    print(f"{'all':<26}{total.total():>8}{total['accepted']:>10}{total['refused']:>9}{total['failed']:>8}")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
