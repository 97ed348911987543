"""The write side of the outbox: a queue in memory that one thread writes to disk."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from homei.serving.logs import LogThrottle
from homei.serving.outbox.folder import OutboxFolder

PAUSE_SECONDS = 0.2  # between two writes to disk; a process that is killed loses the entries since the last one
DISK_RETRY_SECONDS = 2.0
MAX_LINES_PER_WRITE = 5000

log = logging.getLogger("homei.outbox")


class Outbox:
    """Takes entries from any thread without blocking, and writes them to disk in order.

    `encode` turns an entry into JSON lines. `on_written` gets entries with their numbers of lines once these are on
    disk. Both run in the writing thread. Entries stay in memory while the disk refuses them.
    """

    def __init__(
        self,
        name: str,
        parent: Path,
        encode: Callable[[Any], Iterable[bytes]],
        on_written: Callable[[Sequence[tuple[Any, int]]], None] = lambda written: None,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._name, self._parent, self._encode, self._on_written = name, parent, encode, on_written
        self._pause_seconds = pause_seconds
        self._queue: deque[tuple[Any, int]] = deque()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._disk_errors = LogThrottle(log)
        self.n_queued = 0  # lines in memory

    def start(self) -> None:
        """Claims a folder and starts to write; raises LockedError and OSError as OutboxFolder does."""
        self.folder = OutboxFolder(self._parent)
        self._thread.start()

    def stop(self) -> None:
        """Writes the rest of the queue to disk."""
        self._stopping.set()
        self._thread.join()

    def append(self, entry: Any, n_lines: int = 1, max_queued: float = float("inf")) -> bool:
        """Queues an entry of `n_lines` lines; False if more than `max_queued` lines would be in memory."""
        with self._lock:
            if self.n_queued + n_lines > max_queued:
                return False
            self._queue.append((entry, n_lines))
            self.n_queued += n_lines
        return True

    def flush(self) -> None:
        """Writes the queue to disk, as far as the disk takes it."""
        while self._queue:
            entries = self._next_entries()
            try:
                self._write(entries)
            except OSError as error:
                self._disk_errors.error("%s: entries wait in memory, the disk refuses them: %s", self._name, error)
                self._stopping.wait(DISK_RETRY_SECONDS)
                return
            except Exception:
                # Later entries are not to blame, so the thread goes on.
                log.exception("%s: %d entries are lost", self._name, len(entries))
            with self._lock:
                self.n_queued -= sum(self._queue.popleft()[1] for _ in entries)

    def _next_entries(self) -> list[Any]:
        entries, n_lines = [], 0
        with self._lock:
            for entry, n_entry_lines in self._queue:
                entries.append(entry)
                n_lines += n_entry_lines
                if n_lines >= MAX_LINES_PER_WRITE:
                    break
        return entries

    def _write(self, entries: list[Any]) -> None:
        encoded = [list(self._encode(entry)) for entry in entries]
        if lines := [line for entry_lines in encoded for line in entry_lines]:
            self.folder.append(lines)
        self._on_written([(entry, len(entry_lines)) for entry, entry_lines in zip(entries, encoded, strict=True)])

    def _run(self) -> None:
        while not self._stopping.wait(self._pause_seconds):
            self.flush()
        self.flush()
