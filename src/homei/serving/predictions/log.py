"""The prediction log: every valuation is stored in the warehouse, through the outbox."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.types import Message

from homei.registry.variant_assignment import ExperimentDesign
from homei.serving.auth.middleware import client_of
from homei.serving.contract import Contract
from homei.serving.experiment import Models, design_from_environment
from homei.serving.logs import LogThrottle
from homei.serving.middleware.request_id import request_id
from homei.serving.outbox.entry_file import Batch
from homei.serving.outbox.outbox import PAUSE_SECONDS, RETRY_SECONDS, Outbox, UndeliverableError
from homei.serving.predictions.metrics import PredictionMetrics
from homei.serving.predictions.records import ValuedRequest, json_rows, valued_request
from homei.warehouse.predictions import InvalidPredictionError, add_predictions
from homei.warehouse.sessions import Warehouse

FOLDER_VARIABLE = "HOMEI_PREDICTIONS"  # environment: the outbox's folder; without it no valuation is stored
DEFAULT_FOLDER = "data/predictions"
VARIANT_VARIABLE = "HOMEI_VARIANT"  # environment: what the log calls the model that is served
LATEST, CHAMPION = "latest", "champion"
MAX_QUEUED = 100_000  # valuations in memory, of about 2 KB each, while the disk is slow or full
TIMEOUT_SECONDS = 5.0  # of a transaction

log = logging.getLogger("homei.predictions")


class FolderError(RuntimeError):
    """The folder of the prediction log cannot be written."""


class PredictionLog:
    """Counts valuations, and stores them if it has a folder and a warehouse."""

    def __init__(
        self,
        variant: str,
        metrics: PredictionMetrics,
        folder: Path | None = None,
        warehouse: Warehouse | None = None,
        pause_seconds: float = PAUSE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
        max_queued: int = MAX_QUEUED,
        design: ExperimentDesign | None = None,
    ) -> None:
        self._variant, self.metrics, self._design = variant, metrics, design
        self._folder, self._warehouse, self._max_queued = folder, warehouse, max_queued
        self._queue_is_full = LogThrottle(log)
        self._outbox: Outbox | None = None
        if folder and warehouse:
            self._outbox = Outbox(
                folder, warehouse, self._encode, self._deliver, self._count_written, pause_seconds, retry_seconds
            )

    def start(self) -> None:
        """Starts to store valuations; raises FolderError if the folder cannot be written."""
        if not self._outbox:
            log.warning("predictions are not stored: serve.store_predictions is off, or %s is not set", FOLDER_VARIABLE)
            return
        try:
            self._outbox.start()
        except OSError as error:
            raise FolderError(f"{FOLDER_VARIABLE}: {self._folder} cannot be written: {error.strerror}") from error

    def stop(self) -> None:
        """Writes the remaining valuations to disk, and to the warehouse if it can be reached."""
        if self._outbox:
            self._outbox.stop()

    @property
    def is_storing(self) -> bool:
        """Whether valuations are stored: there is a folder and, as far as is known, a warehouse."""
        return self._outbox is not None and self._outbox.has_warehouse

    def record(
        self,
        scope: Message,
        started: float,
        rows: Sequence[Mapping[str, Any]],
        valuations: Sequence[Mapping[str, Any]],
        is_single: bool,
    ) -> str | None:
        """The prediction_id under which a request's valuations are stored; None if they are not."""
        request = valued_request(started, rows, valuations, is_single, request_id(scope), client_of(scope))
        if self._outbox is None:
            self._count_written([(request, 0)])
            return None
        if not self._outbox.append(request, len(rows), self._max_queued):
            self.metrics.lines.labels("lost").inc(len(rows))
            self._queue_is_full.error("predictions are lost: %d wait for the disk already", self._outbox.n_queued)
            return None
        return request.prediction_id if self.is_storing else None

    def set_models(self, models: Models) -> None:
        """Has the metrics name the models that are served from now on."""
        for variant, model_version, data_version in models.versions():
            self.metrics.set_model(variant or self._variant, model_version, data_version)

    def _encode(self, request: ValuedRequest) -> Iterable[bytes]:
        return json_rows(request, self._variant, self._design) if self.is_storing else ()

    def _count_written(self, written: Sequence[tuple[ValuedRequest, int]]) -> None:
        for request, n_lines in written:
            self.metrics.lines.labels("spooled" if n_lines else "unkept").inc(len(request.rows))
            self.metrics.count_valuations(request)
        if self._outbox:
            self.metrics.waiting_bytes.set(self._outbox.n_bytes())

    def _deliver(self, batch: Batch) -> None:
        assert self._warehouse
        try:
            self._warehouse.append(lambda connection: add_predictions(connection, batch.entries))
        except InvalidPredictionError as error:
            self.metrics.lines.labels("lost").inc(len(batch.entries))
            raise UndeliverableError(str(error)) from error
        self.metrics.lines.labels("kept").inc(len(batch.entries))


def from_environment(contract: Contract) -> PredictionLog:
    """The log as the environment of `homei serve` configures it."""
    variant = os.environ.get(VARIANT_VARIABLE) or LATEST
    metrics = PredictionMetrics(variant, contract.model_version, contract.data_version)
    folder = os.environ.get(FOLDER_VARIABLE)
    if not (folder and contract.limits.store_predictions):
        return PredictionLog(variant, metrics)
    warehouse = Warehouse(contract.warehouse, connections=1, seconds=TIMEOUT_SECONDS)
    return PredictionLog(variant, metrics, Path(folder), warehouse, design=design_from_environment())
