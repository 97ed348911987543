"""The audit trail as a chain: each line's hash covers all that the line says and the hash of the line before."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from homei.warehouse.lines import add
from homei.warehouse.tables import audit

BEGINNING = "0" * 64
ROWS = 5000  # read at a time

Line = dict[str, Any]

# Made once: the trail asks for the first two with each write, and json.dumps makes an encoder each time.
_LAST = select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
_HASH_OF = select(audit.c.hash).where(audit.c.number == bindparam("number"))
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Head:
    """The last line of a chain: its number and its hash."""

    number: int = 0
    hash: str = BEGINNING


@dataclass(frozen=True)
class Verdict:
    """How far a chain is whole, and what is wrong with the first line that isn't; None where all are."""

    head: Head
    fault: str | None = None


def line(actor: str, action: str, outcome: str, happened_at: datetime.datetime, **more: Any) -> Line:
    """One line, yet without its place in the chain; `more` may hold subject, request_id and details."""
    told = {"happened_at": happened_at, "actor": actor, "action": action, "outcome": outcome}
    return {"subject": None, "request_id": None, "details": {}} | told | more


def digest(line: Mapping[str, Any]) -> str:
    """SHA-256 over a line's fields in JSON, the time in UTC to the microsecond."""
    return _hash(_covered(line))


def linked(lines: Iterable[Line], head: Head) -> tuple[list[str], Head]:
    """The lines as what follows `head`, in the order given: JSON objects that name all columns; and the new head."""
    texts = []
    for given in lines:
        covered = _covered(given | {"number": head.number + 1, "previous_hash": head.hash})
        head = Head(head.number + 1, _hash(covered))
        texts.append(f'{covered[:-1]},"hash":"{head.hash}"}}')
    return texts, head


def append(connection: Connection, lines: Sequence[Line]) -> Head:
    """Writes lines to the end of the warehouse's trail, in a transaction of homei.warehouse.connection.writing."""
    head = last(connection)
    if not lines:
        return head
    texts, head = linked(lines, head)
    add(connection, audit, texts)
    return head


def last(connection: Connection) -> Head:
    """The last line that is there; number 0 where none is."""
    found = connection.execute(_LAST).first()
    return Head(*found) if found else Head()


def holds(connection: Connection, head: Head) -> bool:
    """Whether the line that `head` names is there, and is that line."""
    found = connection.execute(_HASH_OF, {"number": head.number}).scalar()
    return head.number == 0 or found == head.hash


def stored(connection: Connection) -> Iterable[Mapping[str, Any]]:
    """All lines in their order, a few thousand in memory at a time."""
    rows = connection.execution_options(yield_per=ROWS).execute(select(audit).order_by(audit.c.number))
    return rows.mappings()


def verify(lines: Iterable[Mapping[str, Any]], *known: Head) -> Verdict:
    """Recomputes a chain from its first line, and compares it with heads that were kept apart.

    Without one, lines cut off the end leave no trace, nor does a trail that was rewritten as a whole.
    """
    hashes = {kept.number: kept.hash for kept in known}
    furthest = max(hashes, default=0)
    head = Head()
    for found in lines:
        if fault := _fault(found, head):
            return Verdict(head, fault)
        head = Head(found["number"], found["hash"])
        if hashes.get(head.number, head.hash) != head.hash:
            return Verdict(head, f"line {head.number} is not the one whose hash was kept apart: it was rewritten")
    if head.number < furthest:
        first, count = head.number + 1, furthest - head.number
        return Verdict(head, f"line {first} is missing: {count} lines were cut off the end")
    return Verdict(head)


def _fault(found: Mapping[str, Any], head: Head) -> str | None:
    expected = head.number + 1
    if found["number"] > expected:
        return f"line {expected} is missing"
    if found["number"] < expected:
        return f"line {found['number']} is there, and the first one is 1"
    if found["hash"] != digest(found):
        return f"line {expected} was changed"
    if found["previous_hash"] != head.hash:
        return f"line {expected} doesn't continue line {head.number}: one of the two was replaced"
    return None


def _covered(line: Mapping[str, Any]) -> str:
    """What a hash covers: a JSON object whose names are in order, written out since most of a line's time goes here."""
    return (
        f'{{"action":{_json(line["action"])},"actor":{_json(line["actor"])},"details":{_json(line["details"])},'
        f'"happened_at":"{_utc(line["happened_at"])}","number":{line["number"]},"outcome":{_json(line["outcome"])},'
        f'"previous_hash":{_json(line["previous_hash"])},"request_id":{_json(line["request_id"])},'
        f'"subject":{_json(line["subject"])}}}'
    )


def _json(value: Any) -> str:
    return "null" if value is None else _ENCODER.encode(value)


def _hash(covered: str) -> str:
    return hashlib.sha256(covered.encode()).hexdigest()


def _utc(moment: datetime.datetime) -> str:
    """In ISO 8601 and UTC, which is what SQLite means by a time without a zone."""
    known = moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
    return known.isoformat()
