"""The audit trail's hash chain: an entry's hash covers its content and the hash before it."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from homei.warehouse.tables import audit

NO_HASH = "0" * 64  # the previous hash of entry 1
ROWS_IN_MEMORY = 5000

Entry = dict[str, Any]


class HeadError(ValueError):
    """A text that is no head of an audit trail."""


@dataclass(frozen=True)
class Head:
    """Number and hash of a chain's last entry; as text NUMBER:HASH."""

    number: int = 0
    hash: str = NO_HASH

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """The head of a text such as `homei audit verify` prints; raises HeadError."""
        number, _, digits = text.strip().partition(":")
        if not (number.isdigit() and len(digits) == 64 and set(digits) <= set("0123456789abcdef")):
            raise HeadError(f"{text.strip()[:100]!r} is not NUMBER:HASH, which `homei audit verify` prints")
        return cls(int(number), digits)


@dataclass(frozen=True)
class Verification:
    """The last correct entry of a chain, and the fault of the next one; None if there is no fault."""

    head: Head
    fault: str | None = None


def new_entry(
    actor: str,
    action: str,
    outcome: str,
    happened_at: datetime.datetime,
    subject: str | None = None,
    request_id: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Entry:
    """An entry that has no place in the chain yet."""
    texts = {"actor": actor, "action": action, "outcome": outcome, "subject": subject, "request_id": request_id}
    return {"happened_at": happened_at, "details": dict(details or {}), **texts}


def entry_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of a row without its hash; the time in UTC to the microsecond."""
    happened_at = row["happened_at"].astimezone(datetime.UTC)
    content = {name: row[name] for name in row if name != "hash"} | {"happened_at": happened_at.isoformat()}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def link(entries: Iterable[Entry], head: Head) -> tuple[list[Entry], Head]:
    """The entries as rows that continue a chain after `head`, and the new head."""
    rows = []
    for entry in entries:
        row = entry | {"number": head.number + 1, "previous_hash": head.hash}
        head = Head(row["number"], entry_hash(row))
        rows.append(row | {"hash": head.hash})
    return rows, head


def append(connection: Connection, entries: Sequence[Entry]) -> Head:
    """Appends entries to the trail in a writing transaction of the warehouse."""
    rows, head = link(entries, last_head(connection))
    if rows:
        connection.execute(insert(audit), rows)
    return head


def last_head(connection: Connection) -> Head:
    """The head of the trail in the warehouse; number 0 if it is empty."""
    row = connection.execute(select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)).first()
    return Head(*row) if row else Head()


def contains(connection: Connection, head: Head) -> bool:
    """Whether the trail has the entry of `head`, with its hash."""
    stored_hash = connection.execute(select(audit.c.hash).where(audit.c.number == head.number)).scalar()
    return head.number == 0 or stored_hash == head.hash


def read_rows(connection: Connection) -> Iterable[Mapping[str, Any]]:
    """All rows of the trail in order, a few thousand in memory at a time."""
    options = {"yield_per": ROWS_IN_MEMORY}
    return connection.execution_options(**options).execute(select(audit).order_by(audit.c.number)).mappings()


def verify(rows: Iterable[Mapping[str, Any]], *noted_heads: Head) -> Verification:
    """Recomputes a chain from its first entry, and compares it with heads noted elsewhere.

    Without a noted head, neither a cut end nor a trail that was rewritten as a whole can be found.
    """
    hashes = {head.number: head.hash for head in noted_heads}
    head = Head()
    for row in rows:
        if fault := _fault(row, head):
            return Verification(head, fault)
        head = Head(row["number"], row["hash"])
        if hashes.get(head.number, head.hash) != head.hash:
            return Verification(head, f"entry {head.number} has another hash than was noted: it was rewritten")
    if (n_missing := max(hashes, default=0) - head.number) > 0:
        return Verification(head, f"entry {head.number + 1} is missing: {n_missing} entries were cut off the end")
    return Verification(head)


def _fault(row: Mapping[str, Any], head: Head) -> str | None:
    expected = head.number + 1
    if row["number"] > expected:
        return f"entry {expected} is missing"
    if row["number"] < expected:
        return f"entry {row['number']} comes before entry 1"
    if row["hash"] != entry_hash(row):
        return f"entry {expected} was changed"
    if row["previous_hash"] != head.hash:
        return f"entry {expected} does not continue entry {head.number}: one of them was replaced"
    return None
