"""Checks before a service starts: authentication outside loopback, and TLS files."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homei.serving.audit import head_file
from homei.serving.auth import signing_keys
from homei.serving.auth.clients import read_clients
from homei.serving.auth.middleware import is_loopback
from homei.serving.auth.route_access import TOKEN_PATH
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect
from homei.warehouse.schema import require_supported

OPEN = "It runs open: every program on this machine can use it without a token."
NO_CLIENTS = "It requires tokens, and there is no client yet: add one with `homei client add`, at any time."
# BentoML's default has none but CBC with SHA-1 for TLS 1.2; TLS 1.3 has its own.
TLS_1_2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
UNENCRYPTED = "Tokens travel unencrypted: give --certificate and --certificate-key, or use a TLS proxy."


class UnsafeError(RuntimeError):
    """A service that would be open to other machines, or TLS files that cannot be used."""


@dataclass(frozen=True)
class Access:
    """Access to a service: notes for the operator, environment and options for BentoML."""

    scheme: str
    notes: tuple[str, ...]
    environment: Mapping[str, str]
    options: tuple[str, ...]


def check_access(host: str, publish: PublishConfig, certificate: Path | None = None, key: Path | None = None) -> Access:
    """The access to a service on `host`.

    Raises UnsafeError if it would run open where other machines reach it, and the errors of keys, warehouse and TLS.
    """
    options = tls_options(certificate, key)
    scheme = "https" if options else "http"
    folder = signing_keys.key_folder()
    if folder is None:
        if not is_loopback(host):
            raise UnsafeError(
                f"other machines can reach {host}, and without keys anyone could use the service: set "
                f"{signing_keys.FOLDER_VARIABLE} to a folder for keys, then `homei key new` and `homei client add`"
            )
        return Access(scheme, (OPEN,), {}, options)
    signing_keys.read_keys(folder)
    engine = connect(publish)
    try:
        require_supported(engine)
        n_clients = sum(client.revoked_at is None for client in read_clients(engine))
    finally:
        engine.dispose()
    notes = [f"It requires tokens; {n_clients} clients can get them at {TOKEN_PATH}." if n_clients else NO_CLIENTS]
    if not options and not is_loopback(host):
        notes.append(UNENCRYPTED)
    return Access(scheme, tuple(notes), auth_environment(folder), options)


def auth_environment(key_folder: Path) -> dict[str, str]:
    """The environment variables of a service with keys; the Bento does not know the project's folder."""
    folders = {signing_keys.FOLDER_VARIABLE: key_folder, head_file.FOLDER_VARIABLE: head_file.audit_folder()}
    return {name: str(folder.resolve()) for name, folder in folders.items()}


def tls_options(certificate: Path | None, key: Path | None) -> tuple[str, ...]:
    """BentoML's options for TLS; raises UnsafeError for files that are missing or no pair."""
    if certificate is None and key is None:
        return ()
    if certificate is None or key is None:
        raise UnsafeError("TLS needs both --certificate and --certificate-key")
    for path in (certificate, key):
        if not path.is_file():
            raise UnsafeError(f"{path} does not exist: TLS needs a certificate and its key in PEM format")
    signing_keys.check_file_mode(key)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password=_refuse_password)
    except (ssl.SSLError, UnsafeError) as error:
        reason = getattr(error, "reason", None) or error
        raise UnsafeError(f"{certificate} and {key} are no certificate and its key in PEM format: {reason}") from error
    return (
        "--ssl-certfile",
        str(certificate.resolve()),
        "--ssl-keyfile",
        str(key.resolve()),
        "--ssl-ciphers",
        TLS_1_2_CIPHERS,
    )


def _refuse_password() -> str:
    raise UnsafeError("the key has a password")
