"""Free-text search in addresses: a GIN index of word vectors in PostgreSQL, an FTS5 table in SQLite.

A query matches an address that has all of its words, in any order. The last word may be the beginning of a word.
"""

from __future__ import annotations

import re

from sqlalchemy import ColumnElement, Connection, cast, column, literal_column, select, table
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR

from homei.warehouse.tables import WORD_VECTOR, property_analytics

_WORD = re.compile(r"[^\W_]+")
_fts5 = table("property_words", column("property_id"), column("words"))
_vector: ColumnElement = literal_column(WORD_VECTOR, TSVECTOR)

# The word index of each partition.
_WORD_INDEXES = """
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass('ix_property_words')
"""


def address_words(text: str) -> list[str]:
    """The words and numbers of a text in lower case; every other character separates them."""
    return [word.lower() for word in _WORD.findall(text)]


def address_matches(text: str, dialect: str) -> ColumnElement[bool]:
    """The condition that an address has all words of `text`. Raises ValueError for a text without words."""
    words = address_words(text)
    if not words:
        raise ValueError("the text has no word or number to search for")
    # Words hold letters and digits only, so that quoting them is safe in both query languages.
    if dialect == "postgresql":
        query = " & ".join(f"'{word}'" for word in words) + ":*"
        return _vector.op("@@", is_comparison=True)(cast(query, TSQUERY))
    query = " ".join(f'"{word}"' for word in words) + "*"
    return property_analytics.c.property_id.in_(select(_fts5.c.property_id).where(_fts5.c.words.match(query)))


def refresh_word_index(connection: Connection) -> None:
    """Prepares the word index for new rows: SQLite's is rebuilt, PostgreSQL's gets finer statistics."""
    if connection.dialect.name == "postgresql":
        # With the default of 100, a prefix that a fifth of all addresses share seems rare, and counting takes 5 times
        # as long. An index that is created anew has lost its setting.
        for index in connection.exec_driver_sql(_WORD_INDEXES).scalars():
            connection.exec_driver_sql(f"ALTER INDEX {index} ALTER COLUMN 1 SET STATISTICS 300")
        return
    connection.exec_driver_sql("DELETE FROM property_words")
    connection.exec_driver_sql(
        "INSERT INTO property_words (property_id, words) "
        "SELECT property_id, words FROM property_analytics WHERE words IS NOT NULL"
    )
