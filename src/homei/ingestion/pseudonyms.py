"""Pseudonyms: personal data replaced by a keyed hash, HMAC-SHA-256 (RFC 2104).

A person has the same pseudonym in all feeds. A plain hash of a name or phone number could be undone by trying all
possible values; with a key that is not in the lake it can't.
"""

from __future__ import annotations

import hashlib
import hmac

import pyarrow as pa

from homei.config.feeds import Feed
from homei.ingestion.connectors.text_rows import expanded

KEY_VARIABLE = "HOMEI_PSEUDONYM_KEY"
HEX_DIGITS = 32  # 128 bits


def pseudonymised(cells: pa.Table, feed: Feed) -> pa.Table:
    """The text cells with the feed's personal columns hashed, ignoring case and extra spaces.

    A column of `feed.family_names` adds `<column>_family` with the hash of its family name.
    Raises SourceError where the key is not in the environment.
    """
    personal = [name for name in feed.personal if name in cells.column_names]
    if not personal:
        return cells
    key = expanded(f"${KEY_VARIABLE}", f"feed {feed.name}: personal").encode()
    columns = {name: cells[name].to_pylist() for name in personal}
    for name in feed.family_names:
        if name in columns:
            columns[f"{name}_family"] = [_family_name(cell) for cell in columns[name]]
    for name, column in columns.items():
        hashed = pa.array([_pseudonym(key, cell) for cell in column], pa.string())
        position = cells.schema.get_field_index(name)
        cells = cells.append_column(name, hashed) if position < 0 else cells.set_column(position, name, hashed)
    return cells


def _pseudonym(key: bytes, cell: str | None) -> str | None:
    text = " ".join(cell.split()).casefold() if isinstance(cell, str) else ""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:HEX_DIGITS] if text else None


def _family_name(cell: str | None) -> str | None:
    """The part before a comma, as in "Lovelace, Ada"; None for a company, which has no comma."""
    family, comma, _ = cell.partition(",") if isinstance(cell, str) else ("", "", "")
    return family if comma else None
