"""The outbox's threads: one writes entries to disk, the other one delivers them to the warehouse."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from homei.serving.logs import LogThrottle
from homei.serving.outbox.entry_file import Batch, EntryFile, file_lock
from homei.warehouse.connection import WarehouseError
from homei.warehouse.sessions import NoWarehouseError, Warehouse

PAUSE_SECONDS = 0.2  # between two writes to disk; a process that is killed loses the entries since the last one
RETRY_SECONDS = 5.0  # after a delivery that failed
DISK_RETRY_SECONDS = 2.0
STOP_SECONDS = 10.0  # for the last delivery; what it does not bring stays on disk for the next process
MAX_LINES_PER_WRITE = 5000

log = logging.getLogger("homei.outbox")


class UndeliverableError(ValueError):
    """A batch that the warehouse will never accept."""


class Outbox:
    """Takes entries from any thread without blocking, and delivers them in order by way of the disk.

    `encode` turns an entry into JSON lines. `on_written` gets entries with their numbers of lines once these are on
    disk. Both run in the writing thread. Entries stay in memory while the disk refuses them, and on disk until
    `deliver` succeeds. A batch may come twice if a process dies before it removes the batch, so `deliver` must be
    idempotent by `batch_id` or by its entries' keys. Batches for which it raises UndeliverableError are set aside.
    """

    def __init__(
        self,
        folder: Path,
        warehouse: Warehouse,
        encode: Callable[[Any], Iterable[bytes]],
        deliver: Callable[[Batch], None],
        on_written: Callable[[Sequence[tuple[Any, int]]], None] = lambda written: None,
        pause_seconds: float = PAUSE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._folder, self._warehouse = folder, warehouse
        self._encode, self._deliver, self._on_written = encode, deliver, on_written
        self._pause_seconds, self._retry_seconds = pause_seconds, retry_seconds
        self._queue: deque[tuple[Any, int]] = deque()
        self._lock = threading.Lock()
        self._stopping_writer, self._stopping_deliverer = threading.Event(), threading.Event()
        self._writer = threading.Thread(target=self._write_until_stopped, name="outbox writer", daemon=True)
        self._deliverer = threading.Thread(target=self._deliver_until_stopped, name="outbox deliverer", daemon=True)
        self._disk_errors, self._unreachable = LogThrottle(log), LogThrottle(log)
        self._missing = LogThrottle(log, seconds=float("inf"))
        self._was_reached = False
        self.has_warehouse = True  # False while no warehouse was ever there
        self.n_queued = 0  # lines in memory

    def start(self) -> None:
        """Starts to write and to deliver; raises OSError if the folder cannot be written."""
        self._file = EntryFile(self._folder)
        self._try(self._warehouse.ping)
        self._writer.start()
        self._deliverer.start()

    def stop(self) -> None:
        """Writes the rest of the queue to disk, delivers once more, and closes the warehouse."""
        self._stopping_writer.set()
        self._writer.join()
        self._stopping_deliverer.set()
        self._deliverer.join(STOP_SECONDS)
        self._warehouse.close()
        if not self._deliverer.is_alive():
            self._file.close()

    def append(self, entry: Any, n_lines: int = 1, max_queued: float = float("inf")) -> bool:
        """Queues an entry of `n_lines` lines; False if more than `max_queued` lines would be in memory."""
        with self._lock:
            if self.n_queued + n_lines > max_queued:
                return False
            self._queue.append((entry, n_lines))
            self.n_queued += n_lines
        return True

    def n_bytes(self) -> int:
        """Bytes on disk."""
        return self._file.n_bytes()

    def _write_until_stopped(self) -> None:
        while not self._stopping_writer.wait(self._pause_seconds):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while self._queue:
            entries = self._next_entries()
            try:
                self.write(entries)
            except OSError as error:
                self._disk_errors.error("%s: entries wait in memory, the disk refuses them: %s", self._folder, error)
                self._stopping_writer.wait(DISK_RETRY_SECONDS)
                return
            except Exception:
                # Later entries are not to blame, so the thread goes on.
                log.exception("%s: %d entries are lost", self._folder, len(entries))
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

    def write(self, entries: list[Any]) -> None:
        """Writes entries to disk before it returns, past the queue in memory; raises OSError."""
        encoded = [list(self._encode(entry)) for entry in entries]
        if lines := [line for entry_lines in encoded for line in entry_lines]:
            self._file.append(lines)
        self._on_written([(entry, len(entry_lines)) for entry, entry_lines in zip(entries, encoded, strict=True)])

    def _deliver_until_stopped(self) -> None:
        is_ok = True
        while not self._stopping_deliverer.wait(self._pause_seconds if is_ok else self._retry_seconds):
            is_ok = self._try(self._deliver_all if self.has_warehouse else self._warehouse.ping)
        self._try(self._deliver_all)

    def _try(self, action: Callable[[], None]) -> bool:
        """Runs an action and returns whether it succeeded; no error ends the thread."""
        try:
            action()
        except NoWarehouseError as error:
            self.has_warehouse = self._was_reached
            throttle = self._unreachable if self._was_reached else self._missing
            throttle.error("entries are not stored: %s; create the warehouse with `homei publish`", error)
            return False
        except (WarehouseError, OSError) as error:
            self._unreachable.error("entries wait in %s: %s", self._folder, error)
            return False
        except Exception:
            log.exception("entries wait in %s", self._folder)
            return False
        self.has_warehouse = self._was_reached = True
        return True

    def _deliver_all(self) -> None:
        # Processes that share a folder deliver in turns, so that no batch is delivered by two of them.
        with file_lock(self._folder / "delivery.lock"):
            while batch := self._file.oldest_batch():
                try:
                    self._deliver(batch)
                except UndeliverableError as error:
                    self._file.set_aside(batch)
                    log.error("the warehouse refuses entries, which %s keeps: %s", self._folder, error)
                else:
                    self._file.remove(batch)
