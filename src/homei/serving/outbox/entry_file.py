"""The outbox on disk: a SQLite file with the entries that wait for the warehouse, in their order."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

FILE, RESERVE = "outbox.db", "reserve"
RESERVE_BYTES = 16 << 20  # SQLite's log takes 4 MiB, and a batch about 2 MiB
LOCK_TIMEOUT_SECONDS = 10
MAX_BATCH = 2000  # entries in one transaction of the warehouse
SCHEMA = """
    CREATE TABLE IF NOT EXISTS waiting (id INTEGER PRIMARY KEY AUTOINCREMENT, batch TEXT, entry BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS waiting_batch ON waiting (batch) WHERE batch IS NOT NULL;
    CREATE TABLE IF NOT EXISTS refused (id INTEGER PRIMARY KEY, batch TEXT, entry BLOB NOT NULL);
"""
REMOVE = "DELETE FROM waiting WHERE batch = ?"


@dataclass(frozen=True)
class Batch:
    """Entries that are delivered together; `batch_id` is the same at each attempt."""

    batch_id: str
    entries: list[Any]


class EntryFile:
    """The entries of all processes that share a folder; raises OSError if the disk refuses them.

    A second file reserves space: on a full disk, SQLite needs some to remove entries.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._reserve = folder / FILE, folder / RESERVE
        self._lock = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        with _disk_errors():
            self._connection = sqlite3.connect(
                self._path, LOCK_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
            )
            for setting in ("auto_vacuum = FULL", "journal_mode = WAL", "synchronous = FULL"):
                self._connection.execute(f"PRAGMA {setting}")
            self._connection.executescript(SCHEMA)

    def append(self, entries: Sequence[bytes]) -> None:
        """Appends JSON texts; all of them are on disk when it returns, none if it raises OSError."""
        statement = "INSERT INTO waiting (entry) VALUES (?)"
        with self._lock:
            self._reserve_space()
            self._transact(lambda connection: connection.executemany(statement, ((entry,) for entry in entries)))

    def oldest_batch(self) -> Batch | None:
        """The oldest entries; None if none wait."""
        return self._deliver(_oldest_batch)

    def remove(self, batch: Batch) -> None:
        """Removes a batch that was delivered."""
        self._deliver(lambda connection: connection.execute(REMOVE, (batch.batch_id,)))

    def set_aside(self, batch: Batch) -> None:
        """Moves a batch that the warehouse refuses to the table `refused`."""

        def move(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO refused SELECT * FROM waiting WHERE batch = ?", (batch.batch_id,))
            connection.execute(REMOVE, (batch.batch_id,))

        self._deliver(move)

    def n_bytes(self) -> int:
        """Bytes of the file's pages that hold entries."""
        with self._lock, _disk_errors():
            n_pages, size = (
                self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
            )
        return n_pages * size

    def close(self) -> None:
        self._connection.close()

    def _deliver(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        """Runs a transaction of the delivery, which may use the reserved space."""
        with self._lock:
            try:
                return self._transact(action)
            except OSError:
                if not self._reserve.exists():
                    raise
                self._reserve.unlink()
                return self._transact(action)

    def _transact(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        with _disk_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                return action(self._connection)

    def _reserve_space(self) -> None:
        if self._reserve.exists():
            return
        descriptor = os.open(self._reserve, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError:
            self._reserve.unlink()
            raise
        finally:
            os.close(descriptor)


def _oldest_batch(connection: sqlite3.Connection) -> Batch | None:
    oldest = connection.execute("SELECT batch FROM waiting ORDER BY id LIMIT 1").fetchone()
    if oldest is None:
        return None
    if (batch_id := oldest[0]) is None:
        batch_id = uuid.uuid4().hex
        ids = "SELECT id FROM waiting ORDER BY id LIMIT ?"
        connection.execute(f"UPDATE waiting SET batch = ? WHERE id IN ({ids})", (batch_id, MAX_BATCH))
    rows = connection.execute("SELECT entry FROM waiting WHERE batch = ? ORDER BY id", (batch_id,))
    return Batch(batch_id, [json.loads(entry) for (entry,) in rows])


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(errno.EIO, str(error)) from error


def n_waiting(folder: Path) -> int:
    """Entries in a folder that wait for delivery."""
    path = folder / FILE
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM waiting").fetchone()[0])


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Waits for an exclusive lock between processes, which the system releases if its holder is killed."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600)) as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        yield
