"""Reported sales that wait on disk while a publication holds a SQLite warehouse."""

from __future__ import annotations

import datetime
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection

from homei.serving.contract import Contract
from homei.serving.outbox.entry_file import Batch
from homei.serving.outbox.outbox import PAUSE_SECONDS, RETRY_SECONDS, Outbox
from homei.warehouse.feedback import ReportedSale, store_feedback
from homei.warehouse.sessions import Warehouse

FOLDER_VARIABLE = "HOMEI_FEEDBACK"  # environment: the queue's folder; without it sales do not wait
DEFAULT_FOLDER = "data/feedback"
TIMEOUT_SECONDS = 5.0  # of a transaction

log = logging.getLogger("homei.feedback")


class FeedbackQueue:
    """Stores sales in the warehouse once it can be written, in the order in which they were accepted."""

    def __init__(
        self,
        folder: Path,
        warehouse: Warehouse,
        pause_seconds: float = PAUSE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._warehouse = warehouse
        self._outbox = Outbox(
            folder, warehouse, _encode, self._deliver, pause_seconds=pause_seconds, retry_seconds=retry_seconds
        )

    def start(self) -> None:
        self._outbox.start()

    def stop(self) -> None:
        self._outbox.stop()

    def add(self, client: str, key: str, sale: ReportedSale, received_at: datetime.datetime) -> None:
        """Returns once the sale is on disk; raises OSError if the disk refuses it."""
        self._outbox.write([{"client": client, "key": key, "received_at": received_at, **asdict(sale)}])

    def _deliver(self, batch: Batch) -> None:
        def store(connection: Connection) -> None:
            for entry in batch.entries:
                _store(connection, **entry)

        self._warehouse.append(store)


def _encode(entry: dict[str, Any]) -> Iterator[bytes]:
    yield to_json(entry)


def _store(connection: Connection, client: str, key: str, received_at: str, sold_on: str, **fields: Any) -> None:
    sale = ReportedSale(sold_on=datetime.date.fromisoformat(sold_on), **fields)
    stored = store_feedback(connection, client, key, sale, datetime.datetime.fromisoformat(received_at))
    if stored.sale != sale:
        log.error("a sale of client %s is dropped: its key %s was sent with another sale before", client, key)


def from_environment(contract: Contract) -> FeedbackQueue | None:
    """The queue in the folder that the environment of `homei serve` names, if any."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return None
    return FeedbackQueue(Path(folder), Warehouse(contract.warehouse, connections=1, seconds=TIMEOUT_SECONDS))
