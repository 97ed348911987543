"""The clients in the warehouse: their scopes, request rates, and hashes of their secrets."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from homei.serving.audit import chain
from homei.serving.audit.head_file import audited_transaction
from homei.serving.auth.client_secrets import hash_secret, new_secret
from homei.serving.auth.route_access import SCOPES
from homei.warehouse.connection import reading
from homei.warehouse.tables import clients

# Lower case, so that no two names differ by case alone; no @ and no space, since a client is a program.
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")
OPERATOR = "operator"  # the actor of commands; people are not named in the audit trail


class ClientError(ValueError):
    """A client that cannot be added or revoked."""


@dataclass(frozen=True, slots=True)
class Client:
    """A row of the table `clients`."""

    name: str
    secret_hash: str
    scopes: frozenset[str]
    requests_per_second: int | None
    added_at: datetime.datetime
    revoked_at: datetime.datetime | None


def add_client(
    engine: Engine, audit_folder: Path, name: str, scopes: Sequence[str], requests_per_second: int | None = None
) -> str:
    """Adds a client and returns its secret, of which only a hash is stored.

    Raises ClientError for a name that was used before, even by a revoked client: audit entries with that name must
    mean one client.
    """
    if not NAME.fullmatch(name):
        raise ClientError(f"{name!r} is no client name: use 2 to 64 of a-z, 0-9, dot, dash and underscore")
    if not scopes or (unknown := sorted({*scopes} - {*SCOPES})):
        problem = f"{unknown[0]} is no scope" if scopes else "a client needs at least one scope"
        raise ClientError(f"{problem}: choose from {', '.join(SCOPES)}")
    secret, now = new_secret(), datetime.datetime.now(datetime.UTC)
    settings = {"scopes": sorted({*scopes}), "requests_per_second": requests_per_second}
    with audited_transaction(engine, audit_folder) as (connection, entries):
        if _find(connection, name):
            raise ClientError(f"there is or was a client {name}: choose another name")
        row = {"client": name, "secret_hash": hash_secret(secret), "added_at": now, **settings}
        connection.execute(insert(clients).values(row))
        entries.append(chain.new_entry(OPERATOR, "client.add", "ok", now, subject=name, details=settings))
    return secret


def revoke_client(engine: Engine, audit_folder: Path, name: str) -> None:
    """Revokes a client: it gets no more tokens, and running services refuse its tokens within seconds."""
    now = datetime.datetime.now(datetime.UTC)
    with audited_transaction(engine, audit_folder) as (connection, entries):
        client = _find(connection, name)
        if client is None:
            raise ClientError(f"there is no client {name}: `homei client list` shows all names")
        if client.revoked_at is not None:
            raise ClientError(f"{name} was already revoked at {client.revoked_at:%Y-%m-%d %H:%M:%S} UTC")
        connection.execute(update(clients).where(clients.c.client == name).values(revoked_at=now))
        entries.append(chain.new_entry(OPERATOR, "client.revoke", "ok", now, subject=name))


def read_clients(engine: Engine) -> list[Client]:
    """All clients by name, revoked ones too."""
    with reading(engine) as connection:
        rows = connection.execute(select(clients).order_by(clients.c.client)).mappings().all()
    return [_client(row) for row in rows]


def _find(connection: Connection, name: str) -> Client | None:
    row = connection.execute(select(clients).where(clients.c.client == name)).mappings().one_or_none()
    return _client(row) if row else None


def _client(row: Mapping[str, Any]) -> Client:
    columns = {name: value for name, value in row.items() if name not in ("client", "scopes")}
    return Client(row["client"], scopes=frozenset(row["scopes"]), **columns)
