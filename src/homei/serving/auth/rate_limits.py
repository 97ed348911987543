"""Request rates of clients and lock-outs of addresses, counted in the memory of one process."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict

from homei.serving.config import AccessConfig

BURST_SECONDS = 2  # a client that made no requests may make those of two seconds at once
MAX_NETWORKS = 10_000


class RateLimiter:
    """A token bucket for each client; `now` is a monotonic clock in seconds."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def seconds_to_wait(self, client: str, rate: int, now: float) -> int:
        """0 if the client may make a request, which is then counted; else whole seconds until it may."""
        capacity = float(rate * BURST_SECONDS)
        level, filled_at = self._buckets.get(client, (capacity, now))
        level = min(capacity, level + (now - filled_at) * rate)
        if level < 1:
            self._buckets[client] = (level, now)
            return math.ceil((1 - level) / rate)
        self._buckets[client] = (level - 1, now)
        return 0


class LockOut:
    """Refuses addresses after `failures` failed attempts within `lock_seconds`, for `lock_seconds`.

    An IPv6 address counts as its /64 network. The last 10,000 networks with failures are remembered.
    """

    def __init__(self, config: AccessConfig) -> None:
        self._max_failures = config.failures
        self._lock_seconds = float(config.lock_seconds)
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def seconds_to_wait(self, address: str, now: float) -> int:
        """0 for an address that is not locked out; else whole seconds until the lock ends."""
        n_failures, since = self._failures.get(_network(address), (0, 0.0))
        if n_failures < self._max_failures:
            return 0
        return max(0, math.ceil(since + self._lock_seconds - now))

    def count_failure(self, address: str, now: float) -> bool:
        """Counts a failed attempt and returns whether it locked the address."""
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
