"""Free text on addresses: property_words, FTS5 in SQLite and a GIN index of tsvectors in PostgreSQL.

It is a table apart, since in PostgreSQL a new value of a home would otherwise index the words of its address anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Column, ColumnElement, Connection, Text, column, func, literal_column, select, table

_WORD = re.compile(r"[^\W_]+")
_WORDS = table("property_words", Column("property_id", Text), Column("address", Text))

_STALE = """
    DELETE FROM property_words WHERE NOT EXISTS (
        SELECT 1 FROM property_analytics AS home
        WHERE home.property_id = property_words.property_id AND home.address = property_words.address
    )"""
_MISSING = """
    INSERT INTO property_words (property_id, address)
    SELECT property_id, address FROM property_analytics AS home WHERE address IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM known_words AS known WHERE known.property_id = home.property_id
    )"""
_INDEX = "CREATE INDEX ix_property_words ON property_words USING gin (to_tsvector('simple', address))"


def index_words(connection: Connection) -> None:
    """Brings property_words to the addresses that the table of properties has now."""
    run = connection.exec_driver_sql
    run(_STALE)
    # FTS5 finds words only: what has a row there already is looked up in a table of its own.
    run("CREATE TEMPORARY TABLE known_words (property_id TEXT PRIMARY KEY)")
    run("INSERT INTO known_words SELECT property_id FROM property_words ORDER BY 1")
    apart = connection.dialect.name == "postgresql" and not run("SELECT EXISTS (SELECT FROM known_words)").scalar_one()
    if apart:
        run("DROP INDEX ix_property_words")
    run(_MISSING)
    if apart:
        run(_INDEX)
    run("DROP TABLE known_words")


def terms(text: str) -> list[str]:
    """The words of a text, lower case, as they are looked for; whatever isn't a letter or a digit parts them."""
    return [word.lower() for word in _WORD.findall(text)]


def containing(connection: Connection, key: ColumnElement[str], sought: Sequence[str]) -> ColumnElement[bool]:
    """Whether the address of the property `key` has all the words, the last of which may be the beginning of one.

    Raises ValueError where there is none.
    """
    if not sought:
        raise ValueError("there is no word to look for")
    if connection.dialect.name == "sqlite":
        *whole, last = (f'"{word}"' for word in sought)
        found = select(_WORDS.c.property_id).where(column("property_words").match(" ".join([*whole, f"{last}*"])))
    else:
        *whole, last = sought
        query = func.to_tsquery(literal_column("'simple'"), " & ".join([*whole, f"{last}:*"]))
        address = func.to_tsvector(literal_column("'simple'"), _WORDS.c.address)
        found = select(_WORDS.c.property_id).where(address.bool_op("@@")(query))
    return key.in_(found)
