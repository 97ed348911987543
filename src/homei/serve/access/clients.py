"""The clients that may ask for tokens, in the warehouse: their scopes, their rates, and hashes of their secrets."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select, update

from homei.serve.access import secrets
from homei.serve.access.scopes import SCOPES
from homei.serve.audit import chain, head
from homei.warehouse.connection import reading, writing
from homei.warehouse.tables import clients

# Lower case, so that two clients never differ by case alone; no @ and no space: a client is a program, not a person.
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")
OPERATOR = "operator"  # who uses the command line: a person, so not named


class ClientError(ValueError):
    """A client that can't be added or revoked; the message says why."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the warehouse knows it."""

    name: str
    secret_hash: str
    scopes: frozenset[str]
    requests_per_second: int | None
    added_at: datetime.datetime
    revoked_at: datetime.datetime | None


def add(engine: Engine, folder: Path, name: str, scopes: Sequence[str], rate: int | None = None) -> str:
    """A new client's secret, which is known nowhere else from then on.

    Raises ClientError for a name that was given before, revoked or not: what the trail says of a name must not become
    another one's doing.
    """
    if not NAME.fullmatch(name):
        raise ClientError(f"{name!r} is no name for a client: 2 to 64 of a-z, 0-9, dot, dash and underscore")
    if not scopes or (strange := sorted({*scopes} - {*SCOPES})):
        raise ClientError(f"a client needs scopes of: {', '.join(SCOPES)}" + (f"; not {strange[0]}" if scopes else ""))
    secret, now = secrets.new_secret(), datetime.datetime.now(datetime.UTC)
    row = {"client": name, "scopes": sorted({*scopes}), "requests_per_second": rate, "added_at": now}
    told = {"scopes": row["scopes"], "requests_per_second": rate}
    with writing(engine) as connection:
        if _found(connection, name):
            raise ClientError(f"there was a client {name} before, and its name stays its own: choose another one")
        connection.execute(insert(clients).values(row | {"secret_hash": secrets.hashed(secret)}))
        intact, newest = _note(connection, folder, "client.add", name, now, told)
    head.keep(folder, newest, intact)
    return secret


def revoke(engine: Engine, folder: Path, name: str) -> None:
    """Ends a client: no token is made for it any more, and those it has are refused within seconds."""
    now = datetime.datetime.now(datetime.UTC)
    with writing(engine) as connection:
        found = _found(connection, name)
        if found is None:
            raise ClientError(f"there is no client {name}: `homei client list` names them")
        if found.revoked_at is not None:
            raise ClientError(f"{name} was revoked at {found.revoked_at:%Y-%m-%d %H:%M:%S} UTC already")
        connection.execute(update(clients).where(clients.c.client == name).values(revoked_at=now))
        intact, newest = _note(connection, folder, "client.revoke", name, now, {})
    head.keep(folder, newest, intact)


def all_of(engine: Engine) -> list[Client]:
    """Every client that ever was, by name."""
    with reading(engine) as connection:
        rows = connection.execute(select(clients).order_by(clients.c.client)).mappings().all()
    return [_client(row) for row in rows]


def _found(connection: Connection, name: str) -> Client | None:
    row = connection.execute(select(clients).where(clients.c.client == name)).mappings().one_or_none()
    return _client(row) if row else None


def _client(row) -> Client:
    rate, times = row["requests_per_second"], (row["added_at"], row["revoked_at"])
    return Client(row["client"], row["secret_hash"], frozenset(row["scopes"]), rate, *times)


def _note(connection: Connection, folder: Path, action: str, name: str, now: datetime.datetime, details: dict):
    intact = head.is_intact(connection, folder)
    line = chain.line(OPERATOR, action, "ok", now, subject=name, details=details)
    return intact, chain.append(connection, [line])
