"""The request cache: keeps every reply that was paid for, in a SQLite file to which rows are only added.

The key of a reply is a fingerprint of everything that changes the answer. A reply is in the file before it is used, so
a run that is killed pays twice only for the requests that were under way. Why SQLite and not JSONL: a look-up needs no
index in memory, however many replies there are; a write takes the same time at the first row and at the
hundred-thousandth; and several runs can share one file.
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
from memreason.runtime.cache_dir import cache_folder

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


def request_cache_path(given: str | None) -> Path:
    """The file of replies: the one ``given`` with --request_cache, else requests.sqlite in our cache folder."""
    return Path(given).expanduser() if given else cache_folder() / "requests.sqlite"


class Spent(NamedTuple):
    """What a run has paid for in all its sittings: replies, tokens, and cost in dollars."""

    replies: int
    tokens: int
    cost: float


class RequestCache:
    """The file of replies, which only its owner can read.

    Every method raises UserError if the file is damaged or is no request cache, and OSError if the disk is full.
    """

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained():
            _make_private(path)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=60)
            try:
                self._open()
            except BaseException:
                self._db.close()  # otherwise the file stays locked
                raise

    def _open(self) -> None:
        self._db.execute("PRAGMA trusted_schema = OFF")
        # A kill loses nothing. A power cut may lose the last moments, but does not damage the file.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(TABLES)
        for table, columns in _COLUMNS.items():
            its_columns = [row[1] for row in self._db.execute(f"PRAGMA table_info({table})")]
            kind = self._db.execute("SELECT type FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            if its_columns != columns.split() or kind != ("table",):
                raise ValueError(f"its table {table} is not one of ours")

    def get(self, key: str) -> Reply | None:
        """The reply with this key; None if there is none."""
        with self._explained():
            row = self._db.execute(
                "SELECT text, finish_reason, prompt_tokens, completion_tokens FROM replies WHERE key = ?", (key,)
            ).fetchone()
            if row and ([type(value) for value in row] != [str, str, int, int] or min(row[2:]) < 0):
                raise ValueError("a reply in it is damaged")
        return Reply(*row) if row else None

    def put(self, key: str, run: str, role: str, model: str, reply: Reply, cost: float) -> None:
        """Add a reply. If the file has one with this key already, that one stays."""
        with self._explained():
            self._db.execute(
                "INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, run, role, model, reply.text, reply.finish_reason, reply.prompt_tokens,
                 reply.completion_tokens, cost, time.time()),
            )  # fmt: skip

    def spent(self, run: str) -> Spent:
        """What ``run`` has paid for, in all its sittings."""
        with self._explained():
            replies, tokens, cost = self._db.execute(
                "SELECT count(*), total(prompt_tokens + completion_tokens), total(cost) FROM replies WHERE run = ?",
                (run,),
            ).fetchone()
            if not (isfinite(cost) and cost >= 0):
                raise ValueError("a cost in it is no amount")
            return Spent(replies, int(tokens), cost)

    def usual_tokens(self, role: str, model: str) -> tuple[int, float, float]:
        """(replies counted, mean prompt tokens, mean completion tokens) of a model in a role; at most 1000 replies."""
        with self._explained():
            return self._db.execute(
                "SELECT count(*), total(prompt_tokens) / max(count(*), 1), total(completion_tokens) / max(count(*), 1) "
                "FROM (SELECT * FROM replies WHERE role = ? AND model = ? LIMIT 1000)",
                (role, model),
            ).fetchone()

    # ---- batches under way ---------------------------------------------------------------------

    def open_batches(self, run: str) -> list[tuple[str, str, str | None]]:
        """(name, role, id) of the batches that were begun and are not collected; id None: perhaps never submitted."""
        with self._explained():
            rows = self._db.execute(
                "SELECT name, role, id FROM batches WHERE run = ? AND state = 'open' ORDER BY started", (run,)
            ).fetchall()
            if not all(isinstance(value, str) for name, role, id in rows for value in (name, role, id or "")):
                raise ValueError("a batch in it is damaged")
            return rows

    def begin_batch(self, name: str, run: str, role: str) -> None:
        """Record a batch before it is submitted, so that a kill between the two cannot lose it."""
        self._write("INSERT INTO batches VALUES (?, ?, ?, NULL, 'open', ?)", name, run, role, time.time())

    def name_batch(self, name: str, id: str) -> None:
        """Record the id that the endpoint gave to a batch."""
        self._write("UPDATE batches SET id = ? WHERE name = ?", id, name)

    def end_batch(self, name: str, state: str) -> None:
        """Record how a batch ended: collected, lost, or never submitted."""
        self._write("UPDATE batches SET state = ? WHERE name = ?", state, name)

    def _write(self, statement: str, *values: object) -> None:
        with self._explained():
            self._db.execute(statement, values)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors into ones that say what to do. (A damaged file can also cause ValueError and others.)"""
        try:
            yield
        except (sqlite3.Error, ValueError, OverflowError) as error:
            why = " ".join("".join(c if c.isprintable() else "?" for c in str(error)[:200]).split())
            if "disk is full" in why:
                raise OSError(errno.ENOSPC, "the disk is full", str(self.path)) from error
            if "locked" in why or "readonly" in why:
                raise UserError(
                    f"{self.path}: the request cache cannot be written ({why}); is another program using it, or does "
                    "it belong to another user? Wait, or name another file with --request_cache"
                ) from error
            raise UserError(
                f"{self.path}: cannot be used as a request cache ({why}); move it away, or name another file with "
                "--request_cache (the replies in it are then paid for again)"
            ) from error


def _make_private(path: Path) -> None:
    """Let only the owner read the file, since replies repeat the user's questions. The owner may share it by group."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY))
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with contextlib.suppress(OSError):  # missing, or owned by another user
            if file.stat().st_mode & stat.S_IROTH and file.is_file():
                file.chmod(_OWNER_ONLY)
