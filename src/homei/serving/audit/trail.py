"""The audit trail of a service: entries go through the outbox, so that no request waits."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from homei.serving.audit import chain
from homei.serving.audit.chain import Entry, Head
from homei.serving.audit.head_file import HeadFile
from homei.serving.outbox.entry_file import Batch
from homei.serving.outbox.outbox import PAUSE_SECONDS, RETRY_SECONDS, Outbox
from homei.warehouse.sessions import Warehouse
from homei.warehouse.tables import audit

MAX_QUEUED = 200_000  # entries in memory while the disk refuses them

SERVICE = "homei"  # the actor of the service's own actions


class AuditTrail:
    """Records entries from any thread; they reach the disk within a second, then the warehouse."""

    def __init__(
        self,
        warehouse: Warehouse,
        folder: Path,
        pause_seconds: float = PAUSE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._warehouse = warehouse
        self._head_file = HeadFile(folder)
        self.outbox = Outbox(
            folder, warehouse, _encode, self._deliver, pause_seconds=pause_seconds, retry_seconds=retry_seconds
        )

    def start(self) -> None:
        """Starts to write; raises OSError if the folder cannot be used."""
        self.record(SERVICE, "service.start", "ok")
        self.outbox.start()

    def stop(self) -> None:
        """Writes the remaining entries to disk, and to the warehouse if it can be reached."""
        self.record(SERVICE, "service.stop", "ok")
        self.outbox.stop()

    def record(self, actor: str, action: str, outcome: str, **fields: Any) -> None:
        """Records an entry of this moment; `fields` may be subject, request_id and details."""
        self.outbox.append(chain.new_entry(actor, action, outcome, datetime.datetime.now(datetime.UTC), **fields))

    @property
    def is_full(self) -> bool:
        """Whether too many entries wait in memory: requests that cannot be recorded must be refused."""
        return self.outbox.n_queued >= MAX_QUEUED

    def _deliver(self, batch: Batch) -> None:
        entries = [_decode(entry) for entry in batch.entries]
        # The mark by which a batch is recognised that was stored by a process that died before it removed the batch.
        entries[0]["details"]["batch"] = batch.batch_id
        head, is_intact = Head(), True

        def store(connection: Connection) -> None:
            nonlocal head, is_intact
            is_intact = self._head_file.is_in(connection)
            is_stored = _is_stored(connection, entries[0])
            head = chain.last_head(connection) if is_stored else chain.append(connection, entries)

        self._warehouse.append(store)
        self._head_file.advance(head, is_intact)


def _encode(entry: Entry) -> Iterator[bytes]:
    yield json.dumps(entry | {"happened_at": entry["happened_at"].isoformat()}).encode()


def _decode(entry: Mapping[str, Any]) -> Entry:
    return {**entry, "happened_at": datetime.datetime.fromisoformat(entry["happened_at"])}


def _is_stored(connection: Connection, first_entry: Entry) -> bool:
    """Whether the batch that starts with this entry is in the trail."""
    same = (audit.c.actor == first_entry["actor"]) & (audit.c.happened_at == first_entry["happened_at"])
    rows = connection.execute(select(audit.c.details).where(same))  # by index
    return any(row.details.get("batch") == first_entry["details"]["batch"] for row in rows)
