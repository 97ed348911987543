"""Free text on addresses: property_words, FTS5 in SQLite and a GIN index of tsvectors in PostgreSQL.

It is a table apart, since in PostgreSQL a new value of a home would otherwise index the words of its address anew.
property_terms tells how many homes have a word: a word of many is looked for in the homes, not homes by the word.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, TextClause, text

_WORD = re.compile(r"[^\W_]+")
COMMON = 30  # times as many homes: to look up such a word costs more than to check it
MOST_ENDINGS = 5_000  # words of one beginning that are looked at

_STALE = """
    DELETE FROM property_words WHERE NOT EXISTS (
        SELECT 1 FROM property_analytics AS home
        WHERE home.property_id = property_words.property_id AND trim(home.words) = property_words.address
    )"""
_MISSING = """
    INSERT INTO property_words (property_id, address)
    SELECT property_id, trim(words) FROM property_analytics AS home WHERE words IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM known_words AS known WHERE known.property_id = home.property_id
    )"""
VECTOR = "array_to_tsvector(string_to_array({}, ' '))"  # of words as they are: PostgreSQL's parser would part 12/3
_INDEX = f"CREATE INDEX ix_property_words ON property_words USING gin ({VECTOR.format('address')})"
_COUNTED = {
    "sqlite": "SELECT term, doc FROM address_terms",
    "postgresql": f"SELECT word, ndoc FROM ts_stat('SELECT {VECTOR.format('address')} FROM property_words')".replace(
        "' '", "'' ''"
    ),
}


class Sought(NamedTuple):
    """Words that an address must have; each with how many homes have it, the last one as a beginning."""

    words: list[str]
    homes: list[int]


def index_words(connection: Connection) -> None:
    """Brings property_words and property_terms to the addresses that the table of properties has now."""
    run = connection.exec_driver_sql
    run(_STALE)
    # FTS5 finds words only: what has a row there already is looked up in a table of its own.
    run("CREATE TEMPORARY TABLE known_words (property_id TEXT PRIMARY KEY)")
    run("INSERT INTO known_words SELECT property_id FROM property_words ORDER BY 1")
    sqlite = connection.dialect.name == "sqlite"
    apart = not sqlite and not run("SELECT EXISTS (SELECT FROM known_words)").scalar_one()
    if apart:
        run("DROP INDEX ix_property_words")
    run(_MISSING)
    if apart:
        run(_INDEX)
    run("DROP TABLE known_words")
    run("DELETE FROM property_terms")
    if sqlite:
        run("CREATE VIRTUAL TABLE temp.address_terms USING fts5vocab(main, property_words, row)")
    run(f"INSERT INTO property_terms (word, homes) {_COUNTED[connection.dialect.name]}")
    if sqlite:
        run("DROP TABLE temp.address_terms")


def terms(text: str) -> list[str]:
    """The words of a text, lower case, as they are looked for; whatever isn't a letter or a digit parts them."""
    return [word.lower() for word in _WORD.findall(text)]


def looked_up(connection: Connection, address: str) -> Sought:
    """The words of a text, and how many homes have each. Raises ValueError where there is none."""
    words = terms(address)
    if not words:
        raise ValueError("there is no word to look for")
    values = {f"word_{number}": word for number, word in enumerate(words)}
    values |= {"end": words[-1] + "\U0010ffff", "most": MOST_ENDINGS}
    homes = connection.execute(_homes_with(len(words) - 1), values).one()
    return Sought(words, [int(number or 0) for number in homes])


@functools.cache
def _homes_with(whole: int) -> TextClause:
    """The statement for so many whole words and the beginning of one."""
    told = [f"(SELECT homes FROM property_terms WHERE word = :word_{number})" for number in range(whole)]
    begun = f"SELECT homes FROM property_terms WHERE word >= :word_{whole} AND word < :end LIMIT :most"
    return text(f"SELECT {', '.join([*told, f'(SELECT sum(homes) FROM ({begun}) AS begun)'])}")


def rarest(sought: Sought) -> list[tuple[str, bool]]:
    """The word that the fewest homes have, with whole ones that are not much more common; the last is a beginning.

    All words that begin so have to be put together, so that a beginning is only looked up where it is the rarest.
    """
    least, last = min(sought.homes), len(sought.words) - 1
    told = list(zip(sought.words, sought.homes, strict=True))
    most = [COMMON * max(1, least)] * last + [least]
    return [(word, number == last) for number, (word, homes) in enumerate(told) if homes <= most[number]]


def query(dialect: str, sought: Sequence[tuple[str, bool]]) -> str:
    """What finds words in property_words, those that are set as beginnings of one."""
    if dialect == "sqlite":
        return " ".join(f'"{word}"*' if beginning else f'"{word}"' for word, beginning in sought)
    return " & ".join(f"'{word}':*" if beginning else f"'{word}'" for word, beginning in sought)
