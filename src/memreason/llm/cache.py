"""Every reply that was paid for, kept: an append-only SQLite file keyed by everything that changes the answer.

A reply is on file before it is used, so a run killed at any moment pays for nothing twice but the
requests in flight. SQLite rather than JSONL: a look-up needs no index in memory however many
replies there are, a write costs the same at the first row and the hundred-thousandth, and several
runs can share one file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from memreason.errors import UserError
from memreason.llm.base import Reply

TABLES = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, run TEXT, role TEXT, model TEXT, text TEXT, finish_reason TEXT,
    prompt_tokens INTEGER, completion_tokens INTEGER, cost REAL, received REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS replies_by_run ON replies (run);
CREATE TABLE IF NOT EXISTS batches (
    name TEXT PRIMARY KEY, run TEXT, role TEXT, id TEXT, state TEXT, started REAL
);
"""
_COLUMNS = {
    "replies": "key run role model text finish_reason prompt_tokens completion_tokens cost received",
    "batches": "name run role id state started",
}
_OWNER_ONLY = 0o600


class Spent(NamedTuple):
    """What a run has paid for over its life: replies, tokens, and cost in dollars."""

    replies: int
    tokens: int
    cost: float


class RequestCache:
    """The file of replies, readable by its owner only. Raises UserError where it is no such file or is damaged,
    OSError where the disk is full."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained():
            _make_private(path)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=60)
            try:
                self._open()
            except BaseException:
                self._db.close()  # else what it has locked stays so
                raise

    def _open(self) -> None:
        self._db.execute("PRAGMA trusted_schema = OFF")
        # A kill loses nothing; a power cut may lose the last moments, the file stays whole.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(TABLES)
        for table, columns in _COLUMNS.items():
            made_of = [row[1] for row in self._db.execute(f"PRAGMA table_info({table})")]
            kind = self._db.execute("SELECT type FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            if made_of != columns.split() or kind != ("table",):
                raise ValueError(f"its table {table} is not one of ours")

    def get(self, key: str) -> Reply | None:
        """The reply on file, if there is one."""
        with self._explained():
            row = self._db.execute(
                "SELECT text, finish_reason, prompt_tokens, completion_tokens FROM replies WHERE key = ?", (key,)
            ).fetchone()
            if row and ([type(value) for value in row] != [str, str, int, int] or min(row[2:]) < 0):
                raise ValueError("a reply in it is none")
        return Reply(*row) if row else None

    def put(self, key: str, run: str, role: str, model: str, reply: Reply, cost: float) -> None:
        """Keep a reply. One that is on file already stays as it was."""
        with self._explained():
            self._db.execute(
                "INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, run, role, model, reply.text, reply.finish_reason, reply.prompt_tokens,
                 reply.completion_tokens, cost, time.time()),
            )  # fmt: skip

    def spent(self, run: str) -> Spent:
        """What was paid for on behalf of ``run``, in all its sittings."""
        with self._explained():
            replies, tokens, cost = self._db.execute(
                "SELECT count(*), total(prompt_tokens + completion_tokens), total(cost) FROM replies WHERE run = ?",
                (run,),
            ).fetchone()
            if not (isfinite(cost) and cost >= 0):
                raise ValueError("a cost in it is no amount")
            return Spent(replies, int(tokens), cost)

    def usual_tokens(self, role: str, model: str) -> tuple[int, float, float]:
        """(replies seen, mean prompt tokens, mean completion tokens) of a role with a model, for estimates."""
        with self._explained():
            return self._db.execute(
                "SELECT count(*), total(prompt_tokens) / max(count(*), 1), total(completion_tokens) / max(count(*), 1) "
                "FROM (SELECT * FROM replies WHERE role = ? AND model = ? LIMIT 1000)",
                (role, model),
            ).fetchone()

    # ---- batches under way ---------------------------------------------------------------------

    def open_batches(self, run: str) -> list[tuple[str, str, str | None]]:
        """(name, role, id) of the batches that were begun and not collected; id None: not known to be submitted."""
        with self._explained():
            rows = self._db.execute(
                "SELECT name, role, id FROM batches WHERE run = ? AND state = 'open' ORDER BY started", (run,)
            ).fetchall()
            if not all(isinstance(value, str) for name, role, id in rows for value in (name, role, id or "")):
                raise ValueError("a batch in it is none")
            return rows

    def begin_batch(self, name: str, run: str, role: str) -> None:
        """Note a batch before it is submitted, so that a kill in between cannot lose it."""
        self._write("INSERT INTO batches VALUES (?, ?, ?, NULL, 'open', ?)", name, run, role, time.time())

    def name_batch(self, name: str, id: str) -> None:
        """Note the id that the endpoint gave a batch."""
        self._write("UPDATE batches SET id = ? WHERE name = ?", id, name)

    def end_batch(self, name: str, state: str) -> None:
        """Note that a batch was collected, or never reached the endpoint."""
        self._write("UPDATE batches SET state = ? WHERE name = ?", state, name)

    def _write(self, statement: str, *values: object) -> None:
        with self._explained():
            self._db.execute(statement, values)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What SQLite says of the file, and what to do. (Where its own words are damaged, it raises other errors.)"""
        try:
            yield
        except (sqlite3.Error, ValueError, OverflowError) as error:
            said = " ".join("".join(c if c.isprintable() else "?" for c in str(error)[:200]).split())
            if "disk is full" in said:
                raise OSError(errno.ENOSPC, "the disk is full", str(self.path)) from error
            if "locked" in said or "readonly" in said:
                raise UserError(
                    f"{self.path}: the request cache cannot be written ({said}); is another program at work on it, or "
                    "is it somebody else's? Wait, or name another with --request_cache"
                ) from error
            raise UserError(
                f"{self.path}: cannot be used as a request cache ({said}); move it away, or name another with "
                "--request_cache (the replies in it are then paid for again)"
            ) from error


def _make_private(path: Path) -> None:
    """Replies are made of the user's questions: nobody else is let read them, unless the owner shares them by group."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY))
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with contextlib.suppress(OSError):  # not there, or not ours to change
            if file.stat().st_mode & stat.S_IROTH and file.is_file():
                file.chmod(_OWNER_ONLY)
