"""Homes by what is asked of them: a page in an order, by the key that the page before ended with, and how many.

A page begins after a value of the order's column and a property_id, so that the thousandth page costs what the first
does and no home is shown twice. An order lists only homes that have its attribute. Which index is read (ways.py) is
chosen here, by what property_kinds and property_terms tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping

from homei.warehouse import words
from homei.warehouse.filters import DISTANCE, ORDERS, RANGES, Filters, Place, Start
from homei.warehouse.question import Question
from homei.warehouse.ways import counted_page, kinds_of, rows_of, sorted_page, walked_page

MOST_COUNTED = 1_000
# What things cost, in entries of an index that are looked at.
FETCHED = 5.0  # a row of the table
BRANCH = 50.0  # a kind that is merged with others
MOST_BRANCHES = 400  # SQLite takes no more than five hundred


@dataclass(frozen=True)
class Page:
    """Homes in their order, each with `order_value`, whether there are more on either side, and how many match.

    `counted` are those that match and have the order's attribute, on all pages; MOST_COUNTED + 1 stands for any more.
    """

    homes: list[RowMapping]
    has_previous: bool
    has_next: bool
    counted: int


def find(
    connection: Connection,
    filters: Filters,
    place: Place,
    order: str,
    descending: bool,
    limit: int,
    start: Start | None,
    counted: int | None = None,
) -> Page:
    """A page of at most `limit` homes, from the beginning or from `start` on.

    `counted` is what an earlier page of the same search was told, which otherwise is counted anew.
    """
    falling = descending != (start is not None and start.backwards)
    sought = None if filters.address is None else words.looked_up(connection, filters.address)
    kinds = kinds_of(connection, filters)
    question = Question(connection.dialect.name == "sqlite", filters, place, order, kinds, sought)
    if not kinds or (order == DISTANCE and filters.radius is None):
        return Page([], False, False, 0)
    rows = None
    if counted is None:
        first = rows_of(connection, counted_page(question, _way(question), falling, limit + 1, MOST_COUNTED + 1))
        counted = first[0]["counted"] if first else 0
        if start is None and counted <= MOST_COUNTED:
            rows = first
    if rows is None:
        rows = _page(connection, question, falling, limit + 1, start, counted > MOST_COUNTED)
    more, rows = len(rows) > limit, rows[:limit]
    if start is None:
        return Page(rows, False, more, counted)
    # Whoever begins somewhere came from there: the home named by `start` lies on the other side.
    if start.backwards:
        return Page(rows[::-1], more, True, counted)
    return Page(rows, True, more, counted)


def _page(
    connection: Connection, question: Question, falling: bool, limit: int, start: Start | None, many: bool
) -> list[RowMapping]:
    if question.order == DISTANCE:
        return _nearest(connection, question, falling, limit, start)
    way = _way(question)
    if many:
        along = "location" if question.order == "price" and question.filters.location is not None else question.order
        if _walking(question, along, limit) < _looking(question, way):
            return rows_of(connection, walked_page(question, along, falling, limit, start))
    return rows_of(connection, sorted_page(question, way, falling, limit, start))


def _nearest(
    connection: Connection, question: Question, falling: bool, limit: int, start: Start | None
) -> list[RowMapping]:
    """Within circles that grow until they hold enough."""
    whole = question.filters.radius
    assert whole is not None
    area = _homes(question, "place")
    step = whole if falling else whole * min(1.0, math.sqrt(3 * limit / max(area, 1.0)))
    radius = 0.0 if start is None else math.sqrt(max(start.value, 0.0))
    while True:
        radius = min(whole, radius + step)
        # The whole circle's own radius: its square is what was counted.
        smaller = replace(question, filters=replace(question.filters, radius=radius))
        rows = rows_of(connection, sorted_page(smaller, "place", falling, limit, start))
        if len(rows) == limit or radius >= whole:
            return rows
        step *= 3


def _way(question: Question) -> str:
    """The index by which the fewest homes are looked at."""
    ways = ["location"] if question.filters.location is not None else list(ORDERS)
    ways += ["place"] if question.box() is not None else []
    ways += ["words"] if question.sought is not None else []
    return min(ways, key=lambda way: _looking(question, way))


def _looking(question: Question, way: str) -> float:
    """What it costs to look at all homes that an index is entered for."""
    return _homes(question, way) * (FETCHED if way == "words" or _is_fetched(question, way) else 1.0)


def _walking(question: Question, along: str, limit: int) -> float:
    """What it costs to go along an index in its order until there is a page."""
    if len(question.kinds) > MOST_BRANCHES:
        return math.inf
    entered = _homes(question, along)
    passed = min(entered, limit * max(1.0, entered / max(MOST_COUNTED + 1.0, _matching(question))))
    return (passed + BRANCH * len(question.kinds)) * (FETCHED if _is_fetched(question, along) else 1.0)


def _is_fetched(question: Question, way: str) -> bool:
    """Whether conditions need more of a home than the index has."""
    return question.sought is not None or (question.box() is not None and way != "place")


def _homes(question: Question, way: str) -> float:
    """About how many homes an index is entered for."""
    if way == "words":
        assert question.sought is not None
        return float(min(question.sought.homes))
    if way == "place":
        return sum(row["homes"] for row in question.kinds) * _share_of_box(question)
    ranged = "price" if way == "location" else way
    return sum(row["homes"] * _share(question.filters, row, ranged) for row in question.kinds)


def _matching(question: Question) -> float:
    """About how many homes match, as if attributes had nothing to do with each other within a kind."""
    total = sum(row["homes"] for row in question.kinds)
    found = sum(
        row["homes"] * math.prod(_share(question.filters, row, name) for name in RANGES) for row in question.kinds
    )
    if question.box() is not None:
        found *= _share_of_box(question)
    for homes in question.sought.homes if question.sought is not None else ():
        found *= min(1.0, homes / max(total, 1))
    return found


def _share(filters: Filters, row: RowMapping, name: str) -> float:
    """What part of a kind's homes lies in a range, as if they lay evenly."""
    least, most = row[f"{name}_min"], row[f"{name}_max"]
    low, high = getattr(filters, f"{name}_min"), getattr(filters, f"{name}_max")
    if least is None or (low is None and high is None):
        return 1.0
    return _part(least, most, least if low is None else low, most if high is None else high)


def _share_of_box(question: Question) -> float:
    box = question.box()
    sides = [
        [row[name] for row in question.kinds if row[name] is not None] for name in ("south", "west", "north", "east")
    ]
    if box is None or not sides[0]:
        return 1.0
    tall = _part(min(sides[0]), max(sides[2]), box[0], box[2])
    return tall * _part(min(sides[1]), max(sides[3]), box[1], box[3])


def _part(least: float, most: float, low: float, high: float) -> float:
    inside = min(high, most) - max(low, least)
    if inside < 0:
        return 0.0
    return 1.0 if most <= least else max(inside / (most - least), 1e-6)
