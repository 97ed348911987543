"""property_kinds: which kinds of homes there are, in a location and in all, and between what their attributes lie."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from homei.warehouse.filters import RANGES, Filters
from homei.warehouse.tables import ALL

Kind = dict[str, Any]  # a row of property_kinds
PUBLISHED = "homei_published"  # in a connection's info: the digest of the publication that its transaction sees
KEPT = "homei_kinds"  # there too: what it remembers
MOST_KEPT = 500  # locations


def kinds_of(connection: Connection, filters: Filters) -> list[Kind]:
    """The kinds that homes can be of, in the location that is asked for or in all."""
    own = filters.property_type
    kinds = _kinds_in(connection, ALL if filters.location is None else filters.location)
    kinds = [kind for kind in kinds if own in (None, kind["property_type"])]
    for name in RANGES:
        low, high = filters.ends(name)
        if low is not None or high is not None:
            least, most = f"{name}_min", f"{name}_max"
            kinds = [kind for kind in kinds if _meet(kind[least], kind[most], low, high)]
    return kinds


def forget_kinds(connection: Connection) -> None:
    """Makes a connection ask anew."""
    connection.info.pop(KEPT, None)


def _meet(least: float | None, most: float | None, low: float | None, high: float | None) -> bool:
    """Whether what a kind's homes have between `least` and `most` can lie between `low` and `high`."""
    if least is None or most is None:
        return False
    return (low is None or most >= low) and (high is None or least <= high)


def _kinds_in(connection: Connection, location: str) -> list[Kind]:
    """All kinds in a location, which a connection remembers for as long as it sees the same publication."""
    digest = connection.info.get(PUBLISHED)
    kept: dict[tuple[str, str], list[Kind]] = connection.info.setdefault(KEPT, {})
    if digest is not None and (digest, location) in kept:
        return kept[digest, location]
    found = [dict(row) for row in connection.execute(_KINDS, {"location": location}).mappings()]
    if digest is not None:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[digest, location] = found
    return found


_KINDS = text("SELECT * FROM property_kinds WHERE location = :location ORDER BY kind")
