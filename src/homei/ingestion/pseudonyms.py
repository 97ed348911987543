"""Pseudonyms: personal data replaced by a keyed hash, HMAC-SHA-256 (RFC 2104).

A person has the same pseudonym in all feeds. A plain hash of a name or phone number could be undone by trying all
possible values; with a key that is not in the lake it can't.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

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
    keyed = hmac.new(expanded(f"${KEY_VARIABLE}", f"feed {feed.name}: personal").encode(), digestmod=hashlib.sha256)
    for name in personal:
        position = cells.schema.get_field_index(name)
        column = pc.dictionary_encode(cells[name].cast(pa.string()).combine_chunks())
        texts = column.dictionary.to_pylist()  # the different ones
        cells = cells.set_column(position, name, _pseudonyms(keyed, texts).take(column.indices))
        if name in feed.family_names:
            families = pc.dictionary_encode(pa.array(map(_family_name, texts), pa.string()))
            hashed = _pseudonyms(keyed, families.dictionary.to_pylist()).take(families.indices)
            cells = cells.append_column(f"{name}_family", hashed.take(column.indices))
    return cells


def _pseudonyms(keyed: hmac.HMAC, texts: Iterable[str]) -> pa.Array:
    """The pseudonym of each text, by a hash that has the key already; null for a text of blanks."""
    return pa.array([_pseudonym(keyed.copy(), text) for text in texts], pa.string())


def _pseudonym(keyed: hmac.HMAC, text: str) -> str | None:
    if not (parts := text.split()):
        return None
    keyed.update(" ".join(parts).casefold().encode())
    return keyed.hexdigest()[:HEX_DIGITS]


def _family_name(text: str) -> str | None:
    """The part before a comma, as in "Lovelace, Ada"; None for a company, which has no comma."""
    family, comma, _ = text.partition(",")
    return family if comma else None
