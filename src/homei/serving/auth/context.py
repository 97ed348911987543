"""The state that authorises requests in a running service: keys, clients, rates, audit trail."""

from __future__ import annotations

import ipaddress
import logging
import math
import os
import threading
import time
from collections import OrderedDict
from pathlib import Path

from sqlalchemy import Engine

from homei.serving.audit.head_file import FOLDER_VARIABLE, audit_folder
from homei.serving.audit.trail import SERVICE, AuditTrail
from homei.serving.auth import errors, signing_keys
from homei.serving.auth.client_secrets import SecretVerifier
from homei.serving.auth.clients import Client, read_clients
from homei.serving.auth.signing_keys import Keyring, UnusableKeyError
from homei.serving.config import AccessConfig
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import WarehouseError, connect
from homei.warehouse.sessions import Warehouse

REFRESH_SECONDS = 2.0  # until changes of clients and keys take effect
TRUST_SECONDS = 300.0  # for which cached clients stay valid if the warehouse cannot be reached
READY_SECONDS = 15.0  # after which a warehouse that does not respond counts as unreachable
AUDIT_TIMEOUT_SECONDS = 10.0
BURST_SECONDS = 2  # a client that made no requests may make those of two seconds at once
MAX_NETWORKS = 10_000

log = logging.getLogger("homei.auth")


class RateLimiter:
    """A token bucket for each client, for several threads; `now` is a monotonic clock in seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def seconds_to_wait(self, client: str, rate: int, now: float, cost: int = 1) -> int:
        """0 if the client may make a request, whose cost is then counted; else whole seconds until it may.

        A cost above the burst needs a full bucket, and the client waits for the rest afterwards.
        """
        capacity = float(rate * BURST_SECONDS)
        with self._lock:
            level, filled_at = self._buckets.get(client, (capacity, now))
            level = min(capacity, level + (now - filled_at) * rate)
            # One below the capacity, since a batch is counted as a request before its rows are.
            needed = max(1, min(cost, capacity - 1))
            is_allowed = level >= needed
            self._buckets[client] = (level - cost if is_allowed else level, now)
        return 0 if is_allowed else math.ceil((needed - level) / rate)


class LockOut:
    """Counts failures by address: `max_failures` of them within `lock_seconds` lock it for as long.

    An IPv6 address counts as its /64 network. The last 10,000 networks with failures are remembered.
    """

    def __init__(self, config: AccessConfig) -> None:
        self._max_failures = config.max_failures
        self._lock_seconds = float(config.lock_seconds)
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def seconds_to_wait(self, address: str, now: float) -> int:
        """0 for an address that is not locked out; else whole seconds until the lock ends."""
        n_failures, since = self._failures.get(_network(address), (0, 0.0))
        if n_failures < self._max_failures:
            return 0
        return max(0, math.ceil(since + self._lock_seconds - now))

    def count_failure(self, address: str, now: float) -> bool:
        """Counts a failure and returns whether it locked the address."""
        network = _network(address)
        n_failures, since = self._failures.pop(network, (0, now))
        if now - since >= self._lock_seconds:
            n_failures, since = 0, now
        n_failures += 1
        is_locked_now = n_failures == self._max_failures
        self._failures[network] = (n_failures, now if is_locked_now else since)
        if len(self._failures) > MAX_NETWORKS:
            self._failures.popitem(last=False)
        return is_locked_now


def _network(address: str) -> str:
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address


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
        # Anyone could fill the audit trail with requests that have no valid token: an address may add a few of them.
        self.unknown_clients = LockOut(config)
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

    def charge(self, client: Client, cost: int = 1) -> None:
        """Counts requests against a client's rate; raises AuthError (429) above it."""
        rate = client.requests_per_second or self.config.requests_per_second
        if seconds := self.rate_limiter.seconds_to_wait(client.name, rate, time.monotonic(), cost):
            raise errors.rate_exceeded(seconds)

    def charge_rows(self, client: str | None, n_rows: int) -> None:
        """Counts a batch as one request for each started `rows_per_request`; the first one is counted already."""
        more_requests = (n_rows - 1) // self.config.rows_per_request
        if more_requests and client and (row := self.active_client(client)):
            self.charge(row, more_requests)

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
