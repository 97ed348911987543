"""The delivery side of the outbox: one thread brings its files to the warehouse, oldest first."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from homei.serving.logs import LogThrottle
from homei.serving.outbox.folder import REJECTED_SUFFIX, Batch, read_batch
from homei.serving.outbox.outbox import PAUSE_SECONDS, Outbox
from homei.warehouse.connection import WarehouseError
from homei.warehouse.sessions import NoWarehouseError, Warehouse

RETRY_SECONDS = 5.0
STOP_SECONDS = 10.0  # for the last delivery; what it does not bring stays on disk for the next process

log = logging.getLogger("homei.outbox")


class UndeliverableError(ValueError):
    """A batch that the warehouse will never accept."""


class OutboxDeliverer:
    """Calls `deliver` with each file's batch until it succeeds, then removes the file.

    A batch may come twice if a process dies before it removes the file, so `deliver` must be idempotent by
    `batch_id` or by its entries' keys. A batch for which it raises UndeliverableError is set aside on disk.
    """

    def __init__(
        self,
        outbox: Outbox,
        warehouse: Warehouse,
        deliver: Callable[[Batch], None],
        pause_seconds: float = PAUSE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.has_warehouse = True  # False while no warehouse was ever there
        self._outbox, self._warehouse, self._deliver = outbox, warehouse, deliver
        self._pause_seconds, self._retry_seconds = pause_seconds, retry_seconds
        self._was_reached = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox deliverer", daemon=True)
        self._unreachable, self._missing = LogThrottle(log), LogThrottle(log, seconds=float("inf"))

    def start(self) -> None:
        """Starts to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Delivers once more, closes the warehouse and releases the outbox's folder."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)
        self._warehouse.close()
        self._outbox.folder.release()

    def look_for_warehouse(self) -> None:
        """Updates `has_warehouse`."""
        self._try(self._warehouse.ping)

    def _run(self) -> None:
        is_ok = True
        while not self._stopping.wait(self._pause_seconds if is_ok else self._retry_seconds):
            is_ok = self._try(self._deliver_all if self.has_warehouse else self._warehouse.ping)
        self._try(self._deliver_all)

    def _try(self, action: Callable[[], None]) -> bool:
        """Runs an action and returns whether it succeeded; no error ends the thread."""
        folder = self._outbox.folder.path
        try:
            action()
        except NoWarehouseError as error:
            self.has_warehouse = self._was_reached
            throttle = self._unreachable if self._was_reached else self._missing
            throttle.error("entries are not stored: %s; create the warehouse with `homei publish`", error)
            return False
        except (WarehouseError, OSError) as error:
            self._unreachable.error("entries wait in %s: %s", folder, error)
            return False
        except Exception:
            log.exception("entries wait in %s", folder)
            return False
        self.has_warehouse = self._was_reached = True
        return True

    def _deliver_all(self) -> None:
        while path := self._outbox.folder.oldest_file():
            try:
                self._deliver(read_batch(path))
            except UndeliverableError as error:
                rejected_path = path.rename(path.with_suffix(REJECTED_SUFFIX))
                log.error("the warehouse refuses the entries in %s, which is kept: %s", rejected_path, error)
            else:
                path.unlink()
