"""`homei key`, `homei client` and `homei audit`: who may, and who did."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homei import params

if TYPE_CHECKING:
    from sqlalchemy import Engine


@click.group()
def key() -> None:
    """The keys that sign tokens, in the folder that HOMEI_KEYS names.

    The newest one signs, and all of them are good for checking. To change keys: `homei key new`, and once the tokens of
    the old one have expired (serve.access.token_seconds), remove its file. A service that runs notices both.
    """


@key.command("new")
def new_key() -> None:
    """Make an Ed25519 key that only its owner can read; it signs from now on."""
    from homei.serve.access.keys import make

    made = make(_key_folder(), datetime.datetime.now(datetime.UTC))
    click.echo(f"{made.kid} signs from now on, in {_key_folder()}")


@key.command("list")
def list_keys() -> None:
    """List the keys; the last one signs."""
    from homei.serve.access.keys import read

    ring = read(_key_folder())
    for found in ring.values():
        click.echo(f"{found.kid}  {found.algorithm}  {'signs' if found is ring.newest else 'checks'}")


@click.group()
def client() -> None:
    """The clients that may get tokens; the warehouse holds their names, scopes and hashes of their secrets."""


@client.command("add")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="May be repeated: predict, analytics …")
@click.option("--rate", type=click.IntRange(min=1), help="Requests per second; by default as params/ say.")
def add_client(name: str, scopes: tuple[str, ...], rate: int | None) -> None:
    """Add a client and show its secret, this once.

    NAME is a program's, not a person's: the audit trail keeps it for ever.
    """
    from homei.serve.access.clients import add
    from homei.serve.audit import head
    from homei.warehouse.schema import migrate

    with _warehouse() as engine:
        migrate(engine)
        secret = add(engine, head.folder(), name, scopes, rate)
    click.echo(f"client_id      {name}\nclient_secret  {secret}")
    click.echo("The secret is shown this once, and kept nowhere: whoever loses it needs a new client.", err=True)


@client.command("revoke")
@click.argument("name")
def revoke_client(name: str) -> None:
    """End a client: a running service refuses its tokens within seconds."""
    from homei.serve.access.clients import revoke
    from homei.serve.audit import head

    with _warehouse() as engine:
        revoke(engine, head.folder(), name)
    click.echo(f"{name} is revoked")


@client.command("list")
def list_clients() -> None:
    """List all clients, the revoked ones too."""
    from homei.serve.access.clients import all_of

    with _warehouse() as engine:
        for found in all_of(engine):
            rate = f"{found.requests_per_second}/s" if found.requests_per_second else "-"
            state = f"revoked {found.revoked_at:%Y-%m-%d}" if found.revoked_at else f"since {found.added_at:%Y-%m-%d}"
            click.echo(f"{found.name:24} {','.join(sorted(found.scopes)):34} {rate:>8}  {state}")


@click.group()
def audit() -> None:
    """The audit trail in the warehouse."""


@audit.command("verify")
@click.option("--head", "noted", metavar="NUMBER:HASH", help="A head that was noted elsewhere, earlier.")
def verify_audit(noted: str | None) -> None:
    """Recompute the chain, and name the first line that was changed or is missing.

    Lines cut off the end are found by the head that HOMEI_AUDIT (by default data/audit) keeps apart from the warehouse.
    Whoever can write to both can rewrite the trail unnoticed, unless its head was noted elsewhere: the last words of
    this command are for keeping.
    """
    from homei.serve.audit import chain, head
    from homei.serve.audit.spill import Spill
    from homei.warehouse.connection import reading

    folder = head.folder()
    heads = [found for found in (head.read(folder), head.parsed(noted) if noted else None) if found]
    with _warehouse() as engine, reading(engine) as connection:
        verdict = chain.verify(chain.stored(connection), *heads)
    if verdict.fault:
        raise click.ClickException(f"{verdict.fault}; {verdict.head.number} lines before are whole")
    if not heads:
        click.echo(f"{folder} keeps no head, so lines cut off the end would not be noticed", err=True)
    if waiting := len(Spill(folder)):
        click.echo(f"{waiting} more lines wait in {folder} for the warehouse", err=True)
    click.echo(f"all {verdict.head.number} lines are whole; head {head.told(verdict.head)}")


def _key_folder() -> Path:
    from homei.serve.access import keys

    if (folder := keys.folder()) is None:
        raise keys.UnusableKeyError(f"set {keys.FOLDER} to a folder for keys outside the repository, say ~/.homei/keys")
    return folder


@contextlib.contextmanager
def _warehouse() -> Iterator[Engine]:
    from homei.warehouse.connection import connect

    engine = connect(params.pick("publish").publish)
    try:
        yield engine
    finally:
        engine.dispose()
