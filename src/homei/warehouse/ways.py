"""The SQL by which homes are found: one index that is read, and only the rows of a page fetched in the end."""

from __future__ import annotations

import functools
from typing import Any

from sqlalchemy import Boolean, Connection, RowMapping, column, text
from sqlalchemy.sql.selectable import TextualSelect

from homei.warehouse import words
from homei.warehouse.filters import Start
from homei.warehouse.question import DISTANCE_SQL, Question

SHOWN = (
    "property_id", "address", "location", "property_type", "square_meters", "bedrooms", "bathrooms", "floor",
    "year_built", "latitude", "longitude", "is_listed", "price", "asking_price", "valued_price", "valued_low",
    "valued_high", "confidence", "flags",
)  # fmt: skip
ASKING = "CASE WHEN home.is_listed THEN home.last_asking_price END"
AWAY, COUNTED = "page.square_distance", "(SELECT count(*) FROM found)"
INDEXES = {
    "price": "ix_property_kind_price", "area": "ix_property_kind_area", "year": "ix_property_kind_year",
    "location": "ix_property_location", "place": "ix_property_place",
}  # fmt: skip


KIND = ":kind_#"
LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 320, 400)  # of merged kinds, the most last


def counted_page(question: Question, way: str, descending: bool, limit: int, most: int) -> tuple[str, dict[str, Any]]:
    """Up to `most` matches counted, and the first `limit` of them in their order: the page, where there are no more."""
    source, conditions, values = _entered(question, way)
    found = f"SELECT {_columns(question)} FROM {source} WHERE {' AND '.join(conditions)} LIMIT :most"
    sql = f"WITH found AS MATERIALIZED ({found}), {_first(question, descending)}"
    return sql, {**question.bound(), **values, "most": most, "rows": limit}


def sorted_page(
    question: Question, way: str, descending: bool, limit: int, start: Start | None
) -> tuple[str, dict[str, Any]]:
    """The first `limit` matches from `start` on, all of which are looked at."""
    source, conditions, values = _entered(question, way)
    beyond, at = _beyond(question, descending, start)
    sql = f"""
        WITH page AS MATERIALIZED (
            SELECT {_columns(question)} FROM {source} WHERE {" AND ".join([*conditions, *beyond])}
            ORDER BY {_key(question, descending)} LIMIT :rows
        ) {_shown(question, descending)}"""
    return sql, {**question.bound(), **values, **at, "rows": limit}


def walked_page(
    question: Question, way: str, descending: bool, limit: int, start: Start | None, most: int | None = None
) -> tuple[str, dict[str, Any]]:
    """The same, along an index in which each kind is in the order: kinds are merged until there is enough.

    With `most`, until so many are counted.
    """
    beyond, at = _beyond(question, descending, start)
    index = f" INDEXED BY {INDEXES[way]}" if question.sqlite else ""
    conditions = " AND ".join([*question.conditions(way, f"home.kind = {KIND}"), *beyond])
    branch = f"SELECT {_columns(question)} FROM property_analytics AS home{index} WHERE {conditions}"
    if not question.sqlite:
        # SQLite merges lazily as it is; PostgreSQL where it knows that a branch is short.
        branch = f"({branch} ORDER BY {_key(question, descending)} LIMIT :most)"
    kinds: list[str | None] = [row["kind"] for row in question.kinds]
    # Fewer statements of different length to be planned: no home is of an unknown kind.
    kinds += [None] * (next(length for length in LENGTHS if length >= len(kinds)) - len(kinds))
    merged = " UNION ALL ".join(branch.replace(KIND, f":kind_{number}") for number in range(len(kinds)))
    inner = merged if question.sqlite else f"SELECT * FROM ({merged}) AS branch"
    inner += f" ORDER BY {_order('', descending)} LIMIT :most"
    if most is None:
        sql = f"WITH page AS MATERIALIZED ({inner}) {_shown(question, descending)}"
    else:
        sql = f"WITH found AS MATERIALIZED ({inner}), {_first(question, descending)}"
    values = {f"kind_{number}": kind for number, kind in enumerate(kinds)}
    return sql, {**question.bound(), **values, **at, "rows": limit, "most": most or limit}


def rows_of(connection: Connection, asked: tuple[str, dict[str, Any]]) -> list[RowMapping]:
    """What the database answers."""
    return list(connection.execute(_statement(asked[0]), asked[1]).mappings().all())


@functools.lru_cache(maxsize=1_000)
def _statement(sql: str) -> TextualSelect:
    """A statement whose columns are told in their order, which SQLAlchemy otherwise finds out anew each time."""
    more = {"order_value": True, "square_distance": AWAY in sql, "counted": COUNTED in sql}
    names = [*SHOWN, *(name for name, is_there in more.items() if is_there)]
    # SQLite knows no truth but 1.
    return text(sql).columns(*(column(name, Boolean() if name == "is_listed" else None) for name in names))


def _entered(question: Question, way: str) -> tuple[str, list[str], dict[str, Any]]:
    """Where homes come from, by which conditions, with the values of those that a question doesn't have."""
    conditions = question.conditions(way)
    if way != "words":
        index = f" INDEXED BY {INDEXES[way]}" if question.sqlite else ""
        return f"property_analytics AS home{index}", conditions or ["1 = 1"], {}
    assert question.sought is not None
    sought = words.query("sqlite" if question.sqlite else "postgresql", words.rarest(question.sought))
    said = words.VECTOR.format("property_words.address") + " @@ CAST(:sought AS tsquery)"
    found = "property_words MATCH :sought" if question.sqlite else said
    source = (
        f"property_words {'CROSS' if question.sqlite else 'INNER'} JOIN property_analytics AS home"
        " ON home.property_id = property_words.property_id"
    )
    return source, [found, *conditions], {"sought": sought}


def _first(question: Question, descending: bool) -> str:
    """What is to be shown of `found`, and how many those are."""
    page = f"page AS MATERIALIZED (SELECT * FROM found ORDER BY {_order('', descending)} LIMIT :rows)"
    return f"{page} {_shown(question, descending, f', {COUNTED} AS counted')}"


def _columns(question: Question) -> str:
    away = ", " + DISTANCE_SQL + " AS square_distance" if question.filters.radius is not None else ""
    return f"home.property_id, {question.by} AS order_value{away}"


def _shown(question: Question, descending: bool, more: str = "") -> str:
    away = f", {AWAY}" if question.filters.radius is not None else ""
    shown = ", ".join(ASKING if name == "asking_price" else f"home.{name}" for name in SHOWN)
    join = "CROSS JOIN property_analytics AS home WHERE" if question.sqlite else "JOIN property_analytics AS home ON"
    return f"""SELECT {shown}, page.order_value{away}{more}
        FROM page {join} home.property_id = page.property_id ORDER BY {_order("page.", descending)}"""


def _order(table: str, descending: bool) -> str:
    return f"{table}order_value{_falling(descending)}, {table}property_id{_falling(descending)}"


def _key(question: Question, descending: bool) -> str:
    return f"{question.by}{_falling(descending)}, home.property_id{_falling(descending)}"


def _falling(descending: bool) -> str:
    return " DESC" if descending else ""


def _beyond(question: Question, descending: bool, start: Start | None) -> tuple[list[str], dict[str, Any]]:
    if start is None:
        return [], {}
    sign = "<" if descending else ">"
    value = int(start.value) if question.order == "year" else float(start.value)
    beyond = f"({question.by}, home.property_id) {sign} (:start_value, :start_key)"
    return [beyond], {"start_value": value, "start_key": start.property_id}
