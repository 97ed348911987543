"""The trail's one writer in a service: it takes lines without making anyone wait, and loses none without saying so."""

from __future__ import annotations

import contextlib
import datetime
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from homei.serve.audit.chain import Line, append, line
from homei.serve.audit.head import FOLDER, is_intact, keep
from homei.serve.audit.spill import Spill
from homei.serve.files import TakenError, locked
from homei.serve.writer import Writer
from homei.warehouse.connection import WarehouseError, limit_waiting, writing

PAUSE = 0.5  # seconds between writes: what a process that is killed outright can lose
RETRY = 5.0  # seconds until a warehouse that failed is tried again
MOST_WAITING = 200_000  # lines in memory, where neither the warehouse nor the disk takes any
PATIENCE_MS = 2000  # for another writer of the warehouse; then lines wait on the disk

log = logging.getLogger("homei.audit")


class Trail:
    """Takes lines from any thread and writes them from one, in order, a batch at a time.

    While the warehouse can't be written, lines go to a spill file in `folder`, from where they are appended later.
    """

    def __init__(self, engine: Engine, folder: Path, pause: float = PAUSE, retry: float = RETRY) -> None:
        self.spill = Spill(folder)
        self._engine, self._folder = engine, folder
        self._retry = retry
        self._writer = Writer("audit", self._write_down, pause)
        self._lock = contextlib.ExitStack()
        self._last = 0
        self._failed_at: float | None = None
        limit_waiting(engine, PATIENCE_MS)

    def start(self) -> None:
        """Begins to write; raises TakenError where another service keeps its lines in the same folder."""
        try:
            self._lock.enter_context(locked(self._folder / "writer.lock", wait=False))
        except TakenError as error:
            raise TakenError(f"{error}: give each service a folder of its own by {FOLDER}") from error
        self.record("homei", "service.start", "ok")
        self._writer.start()

    def stop(self) -> None:
        """Writes what is left, to the warehouse or to the spill file."""
        self.record("homei", "service.stop", "ok")
        self._writer.stop()
        self._lock.close()

    def record(self, actor: str, action: str, outcome: str, **more: Any) -> None:
        """Takes a line of this moment."""
        self._writer.take((time.time(), {"actor": actor, "action": action, "outcome": outcome, **more}))

    @property
    def is_full(self) -> bool:
        """Whether nothing takes lines any more, so that what can't be recorded should not be done."""
        return len(self._writer) >= MOST_WAITING

    def _write_down(self, taken: Sequence[tuple[float, dict[str, Any]]]) -> None:
        if not taken and not self.spill:
            return
        lines = [line(happened_at=datetime.datetime.fromtimestamp(at, datetime.UTC), **told) for at, told in taken]
        if not self._write(lines) and lines:
            self.spill.add(lines, self._last)

    def _write(self, lines: list[Line]) -> bool:
        """Whether the warehouse took the lines, after those that waited on the disk."""
        # The last time, the warehouse is tried whatever happened before.
        is_early = self._failed_at is not None and time.monotonic() - self._failed_at < self._retry
        if is_early and not self._writer.is_ending:
            return False
        spilt = bool(self.spill)
        try:
            with writing(self._engine) as connection:
                intact = is_intact(connection, self._folder)
                if spilt:
                    self.spill.replay(connection, datetime.datetime.now(datetime.UTC))
                head = append(connection, lines)
        except WarehouseError as error:
            if self._failed_at is None:
                log.error("audit lines wait in %s: %s", self.spill.file, error)
            self._failed_at = time.monotonic()
            return False
        if spilt:
            self.spill.clear()
        self._failed_at, self._last = None, head.number
        keep(self._folder, head, intact)
        return True
