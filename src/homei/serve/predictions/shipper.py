"""Brings lines from the disk to the warehouse, in a thread of its own: nobody waits for it but the disk."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic_core import from_json

from homei.serve.predictions.metrics import Metrics
from homei.serve.predictions.spool import Spool
from homei.serve.writer import Complaint
from homei.warehouse.access import NoWarehouseError, Warehouse
from homei.warehouse.connection import WarehouseError
from homei.warehouse.predictions import UnfitError, add

ROWS = 2000  # of a transaction
RETRY = 5.0  # seconds until a warehouse that failed is tried again
LAST_CHANCE = 10.0  # seconds that the end of a service waits for the warehouse; the disk keeps what is left

log = logging.getLogger("homei.predictions")


class Shipper:
    """Empties a spool into the warehouse as long as that takes lines; a file goes once all of its lines are there."""

    def __init__(
        self, spool: Spool, warehouse: Warehouse, metrics: Metrics, pause: float, retry: float = RETRY
    ) -> None:
        self.has_warehouse = True  # until it is known that there is none
        self._spool, self._warehouse, self._metrics = spool, warehouse, metrics
        self._pause, self._retry = pause, retry
        self._was_there = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
        self._away, self._none = Complaint(), Complaint(every=float("inf"))

    def start(self) -> None:
        """Looks whether there is a warehouse, and begins."""
        self._try(self._look)
        self._thread.start()

    def stop(self) -> None:
        """Tries once more; what the warehouse doesn't take now waits for the next start."""
        self._stopping.set()
        self._thread.join(LAST_CHANCE)
        self._warehouse.close()

    def _run(self) -> None:
        went_well = True
        while not self._stopping.wait(self._pause if went_well else self._retry):
            went_well = self._try(self._ship if self.has_warehouse else self._look)
        self._try(self._ship)

    def _try(self, what: Callable[[], None]) -> bool:
        """Whether it went well; nothing that goes wrong ends the thread."""
        try:
            what()
        except NoWarehouseError as error:
            # One that was there is only away: its lines wait.
            self.has_warehouse = self._was_there
            tell = self._away.tell if self._was_there else self._none.tell
            tell("answers are not kept: %s; `homei publish` makes a warehouse", error)
            return False
        except (WarehouseError, OSError) as error:
            self._away.tell("answers wait in %s: %s", self._spool.folder, error)
            return False
        except Exception:
            log.exception("answers wait in %s", self._spool.folder)
            return False
        self.has_warehouse = self._was_there = True
        return True

    def _look(self) -> None:
        self._warehouse.append(lambda connection: add(connection, []))

    def _ship(self) -> None:
        while file := self._spool.oldest():
            try:
                self._send(file)
            except UnfitError as error:
                kept = file.rename(file.with_suffix(".refused"))
                with kept.open("rb") as opened:
                    self._metrics.lines("lost", sum(1 for _ in opened))
                log.error("the warehouse can't read %s, which stays there: %s", kept, error)
                continue
            file.unlink()

    def _send(self, file: Path) -> None:
        torn = 0
        with file.open("rb") as opened:
            while chunk := list(itertools.islice(opened, ROWS)):
                whole = list(_whole(chunk))
                torn += len(chunk) - len(whole)
                self._warehouse.append(lambda connection, whole=whole: add(connection, whole))
                self._metrics.lines("kept", len(whole))
        if torn:
            self._metrics.lines("lost", torn)
            log.error("%d lines of %s were cut short by a crash and are lost", torn, file.name)


def _whole(lines: list[bytes]) -> Iterator[str]:
    """Those that a crash did not cut short."""
    for line in lines:
        try:
            from_json(line)
            yield line.decode()
        except ValueError:
            continue
