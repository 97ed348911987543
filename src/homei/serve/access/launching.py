"""What must be settled before a service starts: who may ask, and whether anyone can listen in on the way."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homei.config import Publish
from homei.serve.access import clients, keys
from homei.serve.access.loopback import is_loopback
from homei.serve.access.scopes import TOKEN
from homei.serve.audit import head
from homei.warehouse.connection import connect
from homei.warehouse.schema import require_newest

OPEN = "It runs open: whoever is on this machine may ask, without saying who."
NO_CLIENTS = "It asks for tokens, and there is no client yet: `homei client add` makes one, at any time."
UNENCRYPTED = "Tokens travel unencrypted: give --certificate and --certificate-key, or put a TLS proxy before it."


class UnsafeError(RuntimeError):
    """A service that would be open to others, or whose certificate is none; the message says what to do."""


@dataclass(frozen=True)
class Entrance:
    """How a service is entered: what to say of it, and the environment and options that BentoML needs for it."""

    scheme: str
    notes: tuple[str, ...]
    environment: Mapping[str, str]
    options: tuple[str, ...]


def entrance(host: str, publish: Publish, certificate: Path | None = None, key: Path | None = None) -> Entrance:
    """How a service on `host` is entered.

    Raises UnsafeError where it would run open on an address that other machines reach, and what keys.read, the
    warehouse and the certificate have to say.
    """
    options = encryption(certificate, key)
    scheme = "https" if options else "http"
    folder = keys.folder()
    if folder is None:
        if not is_loopback(host):
            raise UnsafeError(
                f"{host} can be reached from other machines, and without keys anyone may ask: "
                f"set {keys.FOLDER} to a folder for keys, then `homei key new` and `homei client add`"
            )
        return Entrance(scheme, (OPEN,), {}, options)
    keys.read(folder)
    engine = connect(publish)
    try:
        require_newest(engine)
        known = [client for client in clients.all_of(engine) if client.revoked_at is None]
    finally:
        engine.dispose()
    notes = [f"It asks for tokens; {len(known)} clients may get them at {TOKEN}." if known else NO_CLIENTS]
    if not options and not is_loopback(host):
        notes.append(UNENCRYPTED)
    return Entrance(scheme, tuple(notes), settings(folder), options)


def settings(folder: Path) -> dict[str, str]:
    """The environment variables that the service in a Bento reads, which knows no project and no params.yaml."""
    return {keys.FOLDER: str(folder.resolve()), head.FOLDER: str(head.folder().resolve())}


def encryption(certificate: Path | None, key: Path | None) -> tuple[str, ...]:
    """BentoML's options for TLS; raises UnsafeError unless certificate and key are there, private and a pair."""
    if certificate is None and key is None:
        return ()
    if certificate is None or key is None:
        raise UnsafeError("TLS needs both --certificate and --certificate-key")
    for file in (certificate, key):
        if not file.is_file():
            raise UnsafeError(f"{file} is not there: TLS needs a certificate and its key in PEM")
    keys.check_privacy(key)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password=_refuse_password)
    except (ssl.SSLError, UnsafeError) as error:
        why = getattr(error, "reason", None) or error
        raise UnsafeError(f"{certificate} and {key} are no certificate and its key in PEM: {why}") from error
    return "--ssl-certfile", str(certificate.resolve()), "--ssl-keyfile", str(key.resolve())


def _refuse_password() -> str:
    raise UnsafeError("the key is locked by a password")
