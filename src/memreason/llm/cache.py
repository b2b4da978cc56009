"""Every reply that was paid for, kept: an append-only SQLite file keyed by everything that changes the answer.

A reply is on file before it is used, so a run killed at any moment pays for nothing twice but the
requests in flight. SQLite rather than JSONL: a look-up needs no index in memory however many
replies there are, a write costs the same at the first row and the hundred-thousandth, and several
runs can share one file.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from memreason.errors import UserError
from memreason.llm import Reply

_TABLES = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, run TEXT, role TEXT, model TEXT, text TEXT, finish_reason TEXT,
    prompt_tokens INTEGER, completion_tokens INTEGER, cost REAL, received REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS replies_by_run ON replies (run);
CREATE TABLE IF NOT EXISTS batches (
    name TEXT PRIMARY KEY, run TEXT, role TEXT, id TEXT, state TEXT, started REAL
);
"""


class Spent(NamedTuple):
    """What a run has paid for over its life: replies, tokens, and cost in dollars."""

    replies: int
    tokens: int
    cost: float


class RequestCache:
    """The file of replies. Raises UserError where it is no such file, OSError where the disk is full."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=60)
            # A kill loses nothing; a power cut may lose the last moments, the file stays whole.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{path}: cannot be used as a request cache ({error}); name another with --request_cache"
            ) from error

    def get(self, key: str) -> Reply | None:
        """The reply on file, if there is one."""
        row = self._db.execute(
            "SELECT text, finish_reason, prompt_tokens, completion_tokens FROM replies WHERE key = ?", (key,)
        ).fetchone()
        return Reply(*row) if row else None

    def put(self, key: str, run: str, role: str, model: str, reply: Reply, cost: float) -> None:
        """Keep a reply. One that is on file already stays as it was."""
        with _full_disk_explained(self.path):
            self._db.execute(
                "INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, run, role, model, reply.text, reply.finish_reason, reply.prompt_tokens,
                 reply.completion_tokens, cost, time.time()),
            )  # fmt: skip

    def spent(self, run: str) -> Spent:
        """What was paid for on behalf of ``run``, in all its sittings."""
        replies, tokens, cost = self._db.execute(
            "SELECT count(*), total(prompt_tokens + completion_tokens), total(cost) FROM replies WHERE run = ?", (run,)
        ).fetchone()
        return Spent(replies, int(tokens), cost)

    def usual_tokens(self, role: str, model: str) -> tuple[int, float, float]:
        """(replies seen, mean prompt tokens, mean completion tokens) of a role with a model, for estimates."""
        return self._db.execute(
            "SELECT count(*), total(prompt_tokens) / max(count(*), 1), total(completion_tokens) / max(count(*), 1) "
            "FROM (SELECT * FROM replies WHERE role = ? AND model = ? LIMIT 1000)",
            (role, model),
        ).fetchone()

    # ---- batches under way ---------------------------------------------------------------------

    def open_batches(self, run: str) -> list[tuple[str, str, str | None]]:
        """(name, role, id) of the batches that were begun and not collected; id None: not known to be submitted."""
        return self._db.execute(
            "SELECT name, role, id FROM batches WHERE run = ? AND state = 'open' ORDER BY started", (run,)
        ).fetchall()

    def begin_batch(self, name: str, run: str, role: str) -> None:
        """Note a batch before it is submitted, so that a kill in between cannot lose it."""
        self._db.execute("INSERT INTO batches VALUES (?, ?, ?, NULL, 'open', ?)", (name, run, role, time.time()))

    def name_batch(self, name: str, id: str) -> None:
        """Note the id that the endpoint gave a batch."""
        self._db.execute("UPDATE batches SET id = ? WHERE name = ?", (id, name))

    def end_batch(self, name: str, state: str) -> None:
        """Note that a batch was collected, or never reached the endpoint."""
        self._db.execute("UPDATE batches SET state = ? WHERE name = ?", (state, name))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


@contextmanager
def _full_disk_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            raise OSError(errno.ENOSPC, "the disk is full", str(path)) from error
        raise
