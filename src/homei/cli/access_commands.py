"""`homei key`, `homei client` and `homei audit`: signing keys, API clients and the audit trail."""

from __future__ import annotations

import contextlib
import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homei.config import params

if TYPE_CHECKING:
    from sqlalchemy import Engine


@click.group()
def key() -> None:
    """The keys that sign tokens, in the folder HOMEI_KEYS.

    The newest key signs, and all of them verify. To replace a key, run `homei key new`. Remove the file of the old key
    once its tokens have expired (serve.access.token_seconds). Running services notice both.
    """


@key.command("new")
def new_key() -> None:
    """Create an Ed25519 key that only its owner can read; it signs from now on."""
    from homei.serving.auth.signing_keys import create_key

    created = create_key(_key_folder(), datetime.datetime.now(datetime.UTC))
    click.echo(f"{created.kid} signs from now on, in {_key_folder()}")


@key.command("list")
def list_keys() -> None:
    """List the keys; the last one signs."""
    from homei.serving.auth.signing_keys import read_keys

    keys = read_keys(_key_folder())
    for listed in keys.values():
        click.echo(f"{listed.kid}  {listed.algorithm}  {'signs' if listed is keys.newest else 'verifies'}")


@click.group()
def client() -> None:
    """The clients that can get tokens; the warehouse stores names, scopes and hashes of secrets."""


@client.command("add")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="predict, analytics, feedback or admin; repeatable."
)
@click.option("--rate", type=click.IntRange(min=1), help="Requests per second; default: serve.access in params/.")
def add_client(name: str, scopes: tuple[str, ...], rate: int | None) -> None:
    """Add a client and show its secret once.

    NAME is the name of a program, not of a person: the audit trail stores it permanently.
    """
    from homei.serving.audit.head_file import audit_folder
    from homei.serving.auth.clients import add_client as add
    from homei.warehouse.schema import require_supported

    with _warehouse() as engine:
        require_supported(engine)
        secret = add(engine, audit_folder(), name, scopes, rate)
    click.echo(f"client_id      {name}\nclient_secret  {secret}")
    click.echo("The secret is shown only now and stored nowhere. If it is lost, add a new client.", err=True)


@client.command("revoke")
@click.argument("name")
def revoke_client(name: str) -> None:
    """Revoke a client: running services refuse its tokens within seconds."""
    from homei.serving.audit.head_file import audit_folder
    from homei.serving.auth.clients import revoke_client as revoke

    with _warehouse() as engine:
        revoke(engine, audit_folder(), name)
    click.echo(f"{name} is revoked")


@client.command("list")
def list_clients() -> None:
    """List all clients, revoked ones too."""
    from homei.serving.auth.clients import read_clients

    with _warehouse() as engine:
        for row in read_clients(engine):
            rate = f"{row.requests_per_second}/s" if row.requests_per_second else "-"
            state = f"revoked {row.revoked_at:%Y-%m-%d}" if row.revoked_at else f"since {row.added_at:%Y-%m-%d}"
            click.echo(f"{row.name:24} {','.join(sorted(row.scopes)):34} {rate:>8}  {state}")


@click.group()
def audit() -> None:
    """The audit trail in the warehouse."""


@audit.command("verify")
@click.option("--head", "noted_head", metavar="NUMBER:HASH", help="A head that this command printed earlier.")
def verify_audit(noted_head: str | None) -> None:
    """Verify the audit trail, and name the first entry that was changed or is missing.

    Entries that were cut off the end are found by the head that the folder HOMEI_AUDIT (default: data/audit) stores
    outside the warehouse. To detect changes by a person with access to both, note the head that this command prints,
    and give it as --head later.
    """
    from homei.serving.audit import chain
    from homei.serving.audit.head_file import HeadFile, audit_folder
    from homei.serving.outbox.entry_file import n_waiting
    from homei.warehouse.connection import reading

    folder = audit_folder()
    heads = [head for head in (HeadFile(folder).read(), chain.Head.parse(noted_head) if noted_head else None) if head]
    with _warehouse() as engine, reading(engine) as connection:
        result = chain.verify(chain.read_rows(connection), *heads)
    if result.fault:
        raise click.ClickException(f"{result.fault}; the {result.head.number} entries before it are intact")
    if not heads:
        click.echo(f"{folder} has no head.txt: entries cut off the end cannot be found", err=True)
    if n_entries := n_waiting(folder):
        click.echo(f"{n_entries} more entries wait in {folder} for the warehouse", err=True)
    click.echo(f"all {result.head.number} entries are intact; head {result.head}")


def _key_folder() -> Path:
    from homei.serving.auth import signing_keys

    if (folder := signing_keys.key_folder()) is None:
        raise signing_keys.UnusableKeyError(
            f"set {signing_keys.FOLDER_VARIABLE} to a folder for keys outside the repository, such as ~/.homei/keys"
        )
    return folder


def _warehouse() -> contextlib.AbstractContextManager[Engine]:
    from homei.warehouse.connection import connected

    return connected(params.pick("publish").publish)
