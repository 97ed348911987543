"""What a service that asks for tokens runs with: keys, clients, limits and the trail; the first two follow changes."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from sqlalchemy import Engine

from homei.config import Publish
from homei.serve.access import clients, keys
from homei.serve.access.clients import Client
from homei.serve.access.keys import Keyring, UnusableKeyError
from homei.serve.access.throttle import LockOut, Rates
from homei.serve.audit import head
from homei.serve.audit.trail import Trail
from homei.serving import Access
from homei.warehouse.connection import WarehouseError, connect

EVERY = 2.0  # seconds until a revoked client, a new one or a key that came or went is noticed
TRUSTED = 300.0  # seconds for which the clients known last are believed where the warehouse is gone

FRESH = 15.0  # seconds after which a warehouse that gives no answer at all counts as gone

log = logging.getLogger("homei.access")


class Doorkeeper:
    """Everything that is asked whether a request may pass."""

    def __init__(self, rules: Access, folder: Path, engine: Engine, trail: Trail, every: float = EVERY) -> None:
        self.rules = rules
        self.keys = keys.read(folder)
        self.rates = Rates()
        self.lock_out = LockOut(rules)
        self.trail = trail
        self._folder, self._engine, self._every = folder, engine, every
        self._clients: dict[str, Client] = {}
        self._seen = -TRUSTED
        self._is_away = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="access", daemon=True)

    def start(self) -> None:
        """Begins to follow changes; raises WarehouseError where clients can't be read even once."""
        self._read_clients()
        self.trail.start()
        self._note_keys(Keyring({}))
        self._thread.start()

    def stop(self) -> None:
        """Writes what the trail still holds, and ends."""
        self._stopping.set()
        self._thread.join()
        self.trail.stop()
        self._engine.dispose()

    def client(self, name: str) -> Client | None:
        """The client of that name, unless it was revoked."""
        found = self._clients.get(name)
        return found if found and found.revoked_at is None else None

    def knows(self, name: str) -> bool:
        """Whether there is or was such a client."""
        return name in self._clients

    @property
    def is_able(self) -> bool:
        """Whether anyone can be let in: there is a key, the clients were read lately, and the trail takes lines."""
        return bool(self.keys) and time.monotonic() - self._seen <= TRUSTED and not self.trail.is_full

    @property
    def is_ready(self) -> bool:
        """Whether the warehouse was there when last asked, a moment ago, and anyone can be let in."""
        return self.is_able and not self._is_away and time.monotonic() - self._seen <= FRESH

    def _follow(self) -> None:
        while not self._stopping.wait(self._every):
            try:
                self._read_clients()
            except WarehouseError as error:
                self._is_away = True
                log.error("clients are those of %.0f s ago: %s", time.monotonic() - self._seen, error)
            self._read_keys()

    def _read_clients(self) -> None:
        began = time.monotonic()
        self._clients = {client.name: client for client in clients.all_of(self._engine)}
        self._seen, self._is_away = began, False

    def _read_keys(self) -> None:
        before = self.keys
        try:
            self.keys = keys.read(self._folder)
        except (UnusableKeyError, OSError) as error:
            # Whatever is wrong with the folder, a key whose file was taken away is good for nothing.
            left = {kid: key for kid, key in self.keys.items() if (self._folder / f"{kid}{keys.SUFFIX}").exists()}
            self.keys = Keyring(left)
            log.error("keys: %s", error)
        self._note_keys(before)

    def _note_keys(self, before: Keyring) -> None:
        """Tells the trail which keys tokens are taken from now on, and from which no more."""
        for action, some, others in (("key.remove", before, self.keys), ("key.add", self.keys, before)):
            for kid, key in some.items():
                if kid not in others or others[kid].public != key.public:
                    self.trail.record("homei", action, "ok", subject=kid)


def from_environment(rules: Access, warehouse: Publish) -> Doorkeeper | None:
    """What the environment of `homei serve` says; None where it names no keys, so that the service runs open.

    Raises UnusableKeyError and WarehouseError, with what to do.
    """
    folder = keys.folder()
    if folder is None:
        return None
    for name in (warehouse.address, head.FOLDER):
        if not os.environ.get(name):
            raise WarehouseError(f"{keys.FOLDER} is set and {name} isn't: `homei serve` sets what it needs")
    # The trail's writer gives up sooner than others, so it has an engine of its own.
    trail = Trail(connect(warehouse), head.folder())
    return Doorkeeper(rules, folder, connect(warehouse), trail)
