"""math-verify in a process of its own, which can be killed: to compute an answer such as 9^{9^{9^9}} would never end.

The library's own time limit uses an alarm signal. That works only in the main thread, and not during one long
multiplication.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import logging
import subprocess
import sys
from pathlib import Path
from threading import Lock, Timer

logger = logging.getLogger(__name__)


def check_installed() -> None:
    """Raise UserError where math-verify is not installed. Call it before a long run, not after it."""
    from memreason.errors import UserError

    if importlib.util.find_spec("math_verify") is None:
        raise UserError("answers in LaTeX are compared by math-verify, which is missing: pip install math-verify")


class MathWorker:
    """Compares pairs of answers, one at a time. It starts the process for the first pair, and again after a kill."""

    LIMIT = 5.0
    """Most seconds for one pair."""
    START_LIMIT = 120.0
    """Most seconds for the start of the process, which imports sympy."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        atexit.register(self.stop)

    def equal(self, gold: str, answer: str) -> bool:
        """Whether the two are equal; False, with a warning in the log, if this is not known within `LIMIT` seconds."""
        with self._lock:
            if self._process is None:
                self._start()
            reply = self._ask(json.dumps([gold, answer]), self.LIMIT)
            if reply is None:
                logger.warning(f"taken for unequal, since comparing them did not end: {gold!r} and {answer!r}")
                self.stop()
            return reply == "true"

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> None:
        check_installed()
        # -P: modules in the program's folder must not be importable under their bare names.
        self._process = subprocess.Popen(
            [sys.executable, "-P", Path(__file__).with_name("program.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._ask(None, self.START_LIMIT) is None:
            self.stop()
            raise RuntimeError("the process that compares answers in LaTeX did not start")

    def _ask(self, line: str | None, limit: float) -> str | None:
        """The reply to ``line`` (None: the first line); None where the process ended or was killed at ``limit``."""
        process = self._process
        assert process and process.stdin and process.stdout
        timer = Timer(limit, process.kill)
        timer.start()
        try:
            if line is not None:
                process.stdin.write(line + "\n")
                process.stdin.flush()
            return process.stdout.readline().strip() or None
        except OSError:  # the process has ended
            return None
        finally:
            timer.cancel()
