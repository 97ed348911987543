"""The state that authorises requests in a running service: keys, clients, rates, audit trail."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from sqlalchemy import Engine

from homei.serving.audit.head_file import FOLDER_VARIABLE, audit_folder
from homei.serving.audit.trail import SERVICE, AuditTrail
from homei.serving.auth import signing_keys
from homei.serving.auth.client_secrets import SecretVerifier
from homei.serving.auth.clients import Client, read_clients
from homei.serving.auth.rate_limits import LockOut, RateLimiter
from homei.serving.auth.signing_keys import Keyring, UnusableKeyError
from homei.serving.config import AccessConfig
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import WarehouseError, connect
from homei.warehouse.sessions import Warehouse

REFRESH_SECONDS = 2.0  # until changes of clients and keys take effect
TRUST_SECONDS = 300.0  # for which cached clients stay valid if the warehouse cannot be reached
READY_SECONDS = 15.0  # after which a warehouse that does not respond counts as unreachable
AUDIT_TIMEOUT_SECONDS = 10.0

log = logging.getLogger("homei.auth")


class AuthContext:
    """Keys and clients, which are re-read every few seconds, rates, lock-outs and the audit trail."""

    def __init__(
        self,
        config: AccessConfig,
        key_folder: Path,
        engine: Engine,
        trail: AuditTrail,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        self.config = config
        self.keys = signing_keys.read_keys(key_folder)
        self.rate_limiter = RateLimiter()
        self.lock_out = LockOut(config)
        self.secret_verifier = SecretVerifier()
        self.trail = trail
        self._key_folder, self._engine, self._refresh_seconds = key_folder, engine, refresh_seconds
        self._clients: dict[str, Client] = {}
        self._read_at = -TRUST_SECONDS
        self._is_reachable = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._refresh, name="auth", daemon=True)

    def start(self) -> None:
        """Reads the clients and starts to refresh; raises WarehouseError if they cannot be read."""
        self._read_clients()
        self.trail.start()
        self._record_key_changes(Keyring({}))
        self._thread.start()

    def stop(self) -> None:
        """Stops to refresh and writes the remaining audit entries."""
        self._stopping.set()
        self._thread.join()
        self.trail.stop()
        self._engine.dispose()

    def active_client(self, name: str) -> Client | None:
        """The client of this name, unless it was revoked."""
        client = self._clients.get(name)
        return client if client and client.revoked_at is None else None

    def has_client(self, name: str) -> bool:
        """Whether a client of this name exists or was revoked."""
        return name in self._clients

    @property
    def can_authorise(self) -> bool:
        """Whether there is a key, the clients were read lately, and the audit trail takes entries."""
        return bool(self.keys) and self._age_seconds() <= TRUST_SECONDS and not self.trail.is_full

    @property
    def is_ready(self) -> bool:
        """Whether requests can be authorised and the warehouse responded to the last refresh."""
        return self.can_authorise and self._is_reachable and self._age_seconds() <= READY_SECONDS

    def _age_seconds(self) -> float:
        return time.monotonic() - self._read_at

    def _refresh(self) -> None:
        while not self._stopping.wait(self._refresh_seconds):
            try:
                self._read_clients()
            except WarehouseError as error:
                self._is_reachable = False
                log.error("clients cannot be read, those of %.0f s ago are used: %s", self._age_seconds(), error)
            self._read_keys()

    def _read_clients(self) -> None:
        started = time.monotonic()
        self._clients = {client.name: client for client in read_clients(self._engine)}
        self._read_at, self._is_reachable = started, True

    def _read_keys(self) -> None:
        earlier = self.keys
        try:
            self.keys = signing_keys.read_keys(self._key_folder)
        except (UnusableKeyError, OSError) as error:
            # A key whose file was removed must not stay valid because another file is wrong.
            self.keys = Keyring({kid: key for kid, key in earlier.items() if key.path.exists()})
            log.error("keys cannot be read: %s", error)
        self._record_key_changes(earlier)

    def _record_key_changes(self, earlier: Keyring) -> None:
        for action, keys, others in (("key.remove", earlier, self.keys), ("key.add", self.keys, earlier)):
            for kid, key in keys.items():
                if kid not in others or others[kid].public != key.public:
                    self.trail.record(SERVICE, action, "ok", subject=kid)


def from_environment(config: AccessConfig, warehouse: PublishConfig) -> AuthContext | None:
    """The context that the environment of `homei serve` configures; None if it names no keys.

    Raises UnusableKeyError and WarehouseError.
    """
    key_folder = signing_keys.key_folder()
    if key_folder is None:
        return None
    for name in (warehouse.address, FOLDER_VARIABLE):
        if not os.environ.get(name):
            raise WarehouseError(f"{signing_keys.FOLDER_VARIABLE} is set and {name} is not: start with `homei serve`")
    trail = AuditTrail(Warehouse(warehouse, connections=1, seconds=AUDIT_TIMEOUT_SECONDS), audit_folder())
    return AuthContext(config, key_folder, connect(warehouse), trail)
