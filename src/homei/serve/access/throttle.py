"""How often a client may ask, and how often anyone may fail: counted in memory, so by process and until it ends."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict

from homei.serving import Access

BURST_SECONDS = 2  # a client that was quiet may ask for as much at once
MOST_ADDRESSES = 10_000


class Rates:
    """A bucket of requests for each client, which fills at its rate; `now` is any clock that only moves forward."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, client: str, rate: int, now: float) -> int:
        """0 where the client may ask now, which counts; else the whole seconds after which he may."""
        most = float(rate * BURST_SECONDS)
        left, before = self._buckets.get(client, (most, now))
        left = min(most, left + (now - before) * rate)
        if left < 1:
            self._buckets[client] = (left, now)
            return math.ceil((1 - left) / rate)
        self._buckets[client] = (left - 1, now)
        return 0


class LockOut:
    """Addresses that failed too often: each is told to wait, and nothing it sends is looked at meanwhile.

    It knows the last ten thousand addresses that failed; an IPv6 address counts as its network of 64 bits.
    """

    def __init__(self, rules: Access) -> None:
        self._most = rules.failures
        self._seconds = float(rules.lock_seconds)
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, address: str, now: float) -> int:
        """0 for an address that is not locked out; else the whole seconds until it no longer is."""
        if not self._failures:
            return 0
        count, since = self._failures.get(_network(address), (0, 0.0))
        return max(0, math.ceil(since + self._seconds - now)) if count >= self._most else 0

    def fail(self, address: str, now: float) -> bool:
        """Counts a failure, and tells whether it was the one that locks the address out."""
        network = _network(address)
        count, since = self._failures.pop(network, (0, now))
        if now - since >= self._seconds:
            count, since = 0, now
        count += 1
        # The time of a lock runs from the failure that closed it.
        self._failures[network] = (count, now if count == self._most else since)
        if len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)
        return count == self._most


def _network(address: str) -> str:
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address
