"""The log of answers: taken in memory, written to the disk within a fraction of a second, and from there brought to
the warehouse. An answer waits for none of it.

Killed outright, a service loses what it answered in the last `PAUSE` seconds and no more; all else it counts.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from homei.assignment import Design
from homei.serve.access.gate import client_of
from homei.serve.contract import Contract
from homei.serve.experiment import Models, design_from_environment
from homei.serve.predictions.lines import Entry, entry, lines
from homei.serve.predictions.metrics import Metrics
from homei.serve.predictions.shipper import RETRY, Shipper
from homei.serve.predictions.spool import Spool
from homei.serve.request_ids import Message, request_id
from homei.serve.writer import Complaint, Writer
from homei.warehouse.access import Warehouse

FOLDER = "HOMEI_PREDICTIONS"  # the environment variable that names where lines wait; without it none is kept
DEFAULT = "data/predictions"
VARIANT = "HOMEI_VARIANT"  # and the one that says which model answers
LATEST, CHAMPION = "latest", "champion"
PAUSE = 0.2
MOST_WAITING = 100_000  # lines in memory, of about 2 KB each, where the disk is slow or full
SECONDS = 5.0  # that the warehouse has for a few thousand lines

log = logging.getLogger("homei.predictions")


class FolderError(RuntimeError):
    """A folder for lines that wait which can't hold any; the message names the setting."""


class PredictionLog:
    """Counts answers, and keeps them where there is a `folder` for lines that wait and a warehouse to bring them to."""

    def __init__(
        self,
        variant: str,
        metrics: Metrics,
        folder: Path | None = None,
        warehouse: Warehouse | None = None,
        pause: float = PAUSE,
        retry: float = RETRY,
        most: int = MOST_WAITING,
        design: Design | None = None,
    ) -> None:
        self._variant, self._metrics, self._design = variant, metrics, design
        self._writer = Writer("predictions", self._write, pause, most)
        self._spool: Spool | None = None
        self._shipper: Shipper | None = None
        self._full = Complaint()
        if folder and warehouse:
            self._spool = Spool(folder)
            self._shipper = Shipper(self._spool, warehouse, metrics, pause, retry)

    def start(self) -> None:
        """Begins to write."""
        if self._shipper:
            self._shipper.start()
        else:
            log.warning("answers are not kept: serve.log is off, or %s names no folder", FOLDER)
        self._writer.start()

    def stop(self) -> None:
        """Writes what is left: to the disk at least, to the warehouse where it is there."""
        self._writer.stop()
        if self._shipper and self._spool:
            self._shipper.stop()
            self._spool.release()

    @property
    def keeps(self) -> bool:
        """Whether there is something to keep answers in, as far as is known."""
        return self._shipper is not None and self._shipper.has_warehouse

    def take(
        self,
        scope: Message,
        began: float,
        rows: Sequence[Mapping[str, Any]],
        answers: Sequence[Mapping[str, Any]],
        alone: bool,
    ) -> str | None:
        """The name under which the answers to a request are kept; None where they aren't. It waits for nothing."""
        given = entry(began, rows, answers, alone, request_id(scope), client_of(scope))
        if not self._writer.take(given, len(rows)):
            self._metrics.lines("lost", len(rows))
            self._full.tell("answers are not kept: %d wait for the disk already", len(self._writer))
            return None
        return given.name if self.keeps else None

    def refused(self, status: int) -> None:
        """Counts a request that got no valuation."""
        self._metrics.refused(status)

    def reloaded(self, outcome: str) -> None:
        """Counts what came of a newer model."""
        self._metrics.reloaded(outcome)

    def answers_by(self, models: Models) -> None:
        """Has the metrics name the models that answer from now on."""
        for variant, model_version, data_version in models.versions():
            self._metrics.model(variant or self._variant, model_version, data_version)

    def _write(self, taken: Sequence[Entry]) -> None:
        if not taken:
            return
        count = sum(len(given.rows) for given in taken)
        if self._spool and self.keeps:
            told = (line.decode() + "\n" for given in taken for line in lines(given, self._variant, self._design))
            self._spool.add("".join(told))
            self._metrics.lines("spooled", count)
        else:
            self._metrics.lines("unkept", count)
        for given in taken:
            self._metrics.valued(given)
        if self._spool:
            self._metrics.waiting(self._spool.size())


def from_environment(contract: Contract) -> PredictionLog:
    """The log that the environment of `homei serve` asks for; to be made in the process that serves.

    Raises FolderError where it names a folder that can't be written.
    """
    variant = os.environ.get(VARIANT) or LATEST
    metrics = Metrics(variant, contract.model_version, contract.data_version)
    folder = os.environ.get(FOLDER)
    if not (folder and contract.limits.log):
        return PredictionLog(variant, metrics)
    warehouse = Warehouse(contract.warehouse, connections=1, seconds=SECONDS)
    try:
        return PredictionLog(variant, metrics, Path(folder), warehouse, design=design_from_environment())
    except OSError as error:
        raise FolderError(f"{FOLDER} names {folder}, where nothing can be written: {error.strerror}") from error
