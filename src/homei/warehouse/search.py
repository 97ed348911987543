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
from homei.warehouse.kinds import Kind, kinds_of
from homei.warehouse.question import Question
from homei.warehouse.ways import LENGTHS, counted_page, rows_of, sorted_page, walked_page

MOST_COUNTED = 1_000
# What things cost, in entries of an index that are looked at.
FETCHED = 5.0  # a row of the table
BRANCH = 50.0  # a kind that is merged with others
STATEMENT = 2_000.0
BEGUN = 1.5  # a home with one of the words that begin so
HAVE_PLACES = ("place", "price")  # the indexes that have coordinates
EVERY = 1 << 40


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
    everywhere = kinds_of(connection, replace(filters, location=None))
    question = Question(connection.dialect.name == "sqlite", filters, place, order, kinds, everywhere, sought)
    if not kinds or (order == DISTANCE and filters.radius is None):
        return Page([], False, False, 0)
    rows = None
    if counted is None:
        counted, rows = _counted(connection, question, falling, limit + 1)
    if rows is None or start is not None:
        rows = _page(connection, question, falling, limit + 1, start, counted > MOST_COUNTED)
    more, rows = len(rows) > limit, rows[:limit]
    if start is None:
        return Page(rows, False, more, counted)
    # Whoever begins somewhere came from there: the home named by `start` lies on the other side.
    if start.backwards:
        return Page(rows[::-1], more, True, counted)
    return Page(rows, True, more, counted)


def _counted(
    connection: Connection, question: Question, falling: bool, limit: int
) -> tuple[int, list[RowMapping] | None]:
    """How many match, and the first page, unless that takes another statement."""
    most, way = MOST_COUNTED + 1, _way(question)
    all_, walk, matching = _looking(question, way), math.inf, max(1.0, _matching(question))
    if question.order != DISTANCE:
        walk = _walking(question, _along(question), most, matching)
    # Until enough are counted, in whatever order they come; then their page, if there are more.
    again = 0.0 if matching < most / 2 else _looking_again(question, falling, limit, max(matching, most))
    entering = _entering(question, way)
    some = entering + min(all_, most * (all_ - entering) / matching) + (again + STATEMENT if again else 0.0)
    if walk <= min(all_, some):
        asked = walked_page(question, _along(question), falling, limit, None, most)
    else:
        asked = counted_page(question, way, falling, limit, most if some < all_ else EVERY)
    rows = rows_of(connection, asked)
    counted = min(rows[0]["counted"] if rows else 0, most)
    ordered = counted < most or walk <= min(all_, some) or some >= all_
    return counted, rows if ordered else None


def _looking_again(question: Question, falling: bool, limit: int, matching: float) -> float:
    """What the page costs where many match."""
    if question.order == DISTANCE and not falling:
        return 10.0 * limit  # by small circles
    return min(_looking(question, _way(question)), _walking(question, _along(question), limit, matching))


def _page(
    connection: Connection, question: Question, falling: bool, limit: int, start: Start | None, many: bool
) -> list[RowMapping]:
    if question.order == DISTANCE:
        return _nearest(connection, question, falling, limit, start)
    way, along = _way(question), _along(question)
    matching = max(MOST_COUNTED + 1.0, _matching(question))
    if many and _walking(question, along, limit, matching) < _looking(question, way):
        return rows_of(connection, walked_page(question, along, falling, limit, start))
    return rows_of(connection, sorted_page(question, way, falling, limit, start))


def _along(question: Question) -> str:
    """The index in which homes of a kind have the question's order."""
    return "location" if question.order == "price" and question.filters.location is not None else question.order


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
    ways += ["place"] if question.box is not None else []
    ways += ["words"] if question.sought is not None else []
    return min(ways, key=lambda way: _looking(question, way))


def _looking(question: Question, way: str) -> float:
    """What it costs to look at all homes that an index is entered for."""
    fetched = way == "words" or _is_fetched(question, way)
    return _entering(question, way) + _homes(question, way) * (FETCHED if fetched else 1.0)


def _entering(question: Question, way: str) -> float:
    """What it costs before the first home is looked at."""
    if way != "words" or question.sought is None:
        return 0.0
    begun = any(is_beginning for _, is_beginning in words.rarest(question.sought))
    return BEGUN * question.sought.homes[-1] if begun else 0.0


def _walking(question: Question, along: str, rows: int, matching: float) -> float:
    """What it costs to go along an index in its order until there are so many rows."""
    if along == DISTANCE or len(question.kinds) > LENGTHS[-1]:
        return math.inf
    entered = _homes(question, along)
    passed = min(entered, rows * max(1.0, entered / matching))
    return passed * (FETCHED if _is_fetched(question, along) else 1.0) + BRANCH * len(question.kinds)


def _is_fetched(question: Question, way: str) -> bool:
    """Whether conditions need more of a home than the index has."""
    return question.sought is not None or (question.box is not None and way not in HAVE_PLACES)


def _homes(question: Question, way: str) -> float:
    """About how many homes an index is entered for."""
    if way == "words":
        assert question.sought is not None
        return float(min(question.sought.homes))
    if way == "place":
        return sum(row["homes"] for row in question.kinds) * _share_of_box(question)
    # Only one index is entered by the location.
    ranged, kinds = ("price", question.kinds) if way == "location" else (way, question.everywhere)
    return sum(row["homes"] * _share(question.filters, row, ranged) for row in kinds)


def _matching(question: Question) -> float:
    """About how many homes match, as if attributes had nothing to do with each other within a kind."""
    total = sum(row["homes"] for row in question.kinds)
    found = sum(
        row["homes"] * math.prod(_share(question.filters, row, name) for name in RANGES) for row in question.kinds
    )
    if question.box is not None:
        found *= _share_of_box(question)
    for homes in question.sought.homes if question.sought is not None else ():
        found *= min(1.0, homes / max(total, 1))
    return found


def _share(filters: Filters, row: Kind, name: str) -> float:
    """What part of a kind's homes lies in a range, as if they lay evenly."""
    least, most = row[f"{name}_min"], row[f"{name}_max"]
    low, high = getattr(filters, f"{name}_min"), getattr(filters, f"{name}_max")
    if least is None or (low is None and high is None):
        return 1.0
    return _part(least, most, least if low is None else low, most if high is None else high)


def _share_of_box(question: Question) -> float:
    box = question.box
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
