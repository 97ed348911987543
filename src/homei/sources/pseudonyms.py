"""Personal data as keyed hashes: the same person is the same hash everywhere, and without the key nobody's name.

A plain hash of a name or a phone number is undone by trying them all; with a key that stays out of the lake
(RFC 2104's HMAC over SHA-256) it is not.
"""

from __future__ import annotations

import hashlib
import hmac

import pyarrow as pa

from homei.source import Feed
from homei.sources.environment import expanded

KEY = "HOMEI_PSEUDONYM_KEY"
LENGTH = 32  # hexadecimal digits: 128 bits


def pseudonymised(cells: pa.Table, feed: Feed) -> pa.Table:
    """The feed's cells (text, null where empty) with its personal columns hashed, letters' case and blanks aside.

    A name of `feed.family_names` leaves the hash of its family name as `<column>_family`.
    Raises SourceError where the key is not in the environment.
    """
    personal = [name for name in feed.personal if name in cells.column_names]
    if not personal:
        return cells
    key = expanded(f"${KEY}", f"feed {feed.name}: personal").encode()
    families = {
        f"{name}_family": [_pseudonym(key, _family_name(cell)) for cell in cells[name].to_pylist()]
        for name in feed.family_names
        if name in cells.column_names
    }
    hashed = {name: [_pseudonym(key, cell) for cell in cells[name].to_pylist()] for name in personal}
    for name, column in {**hashed, **families}.items():
        column = pa.array(column, pa.string())
        at = cells.schema.get_field_index(name)
        cells = cells.append_column(name, column) if at < 0 else cells.set_column(at, name, column)
    return cells


def _pseudonym(key: bytes, cell: str | None) -> str | None:
    told = " ".join(cell.split()).casefold() if isinstance(cell, str) else ""
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()[:LENGTH] if told else None


def _family_name(cell: str | None) -> str | None:
    """What stands before a comma, as in "Lovelace, Ada"; a company has none."""
    family, comma, _ = cell.partition(",") if isinstance(cell, str) else ("", "", "")
    return family if comma else None
