"""Homes by what is asked of them: a page in an order, by the key that the page before ended with, and how many.

A page begins after a value of the order's column and a property_id, so that the thousandth page costs what the first
does and no home is shown twice. An order lists only homes that have its attribute. Which index is read (ways.py) is
chosen here, by what each would cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping

from homei.warehouse import words
from homei.warehouse.costs import STATEMENT, Costs
from homei.warehouse.filters import DISTANCE, Filters, Place, Start
from homei.warehouse.kinds import kinds_of
from homei.warehouse.question import Question
from homei.warehouse.ways import counted_page, rows_of, sorted_page, walked_page

MOST_COUNTED = 1_000
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
    everywhere = kinds if filters.location is None else kinds_of(connection, replace(filters, location=None))
    question = Question(connection.dialect.name == "sqlite", filters, place, order, kinds, everywhere, sought)
    if not kinds or (order == DISTANCE and filters.radius is None):
        return Page([], False, False, 0)
    rows, costs = None, Costs(question)
    if counted is None:
        counted, rows = _counted(connection, question, costs, falling, limit + 1)
    if rows is None or start is not None:
        rows = _page(connection, question, costs, falling, limit + 1, start, counted > MOST_COUNTED)
    more, rows = len(rows) > limit, rows[:limit]
    if start is None:
        return Page(rows, False, more, counted)
    # Whoever begins somewhere came from there: the home named by `start` lies on the other side.
    if start.backwards:
        return Page(rows[::-1], more, True, counted)
    return Page(rows, True, more, counted)


def _counted(
    connection: Connection, question: Question, costs: Costs, falling: bool, limit: int
) -> tuple[int, list[RowMapping] | None]:
    """How many match, and the first page, unless that takes another statement."""
    most, way = MOST_COUNTED + 1, costs.way
    all_, entering, matching = costs.looking(way), costs.entering(way), max(1.0, costs.matching)
    walk = costs.walking(most, matching)
    # Until enough are counted, in whatever order they come; then their page, if there are more.
    again = 0.0 if matching < most / 2 else _looking_again(question, costs, falling, limit, max(matching, most))
    some = entering + min(all_, most * (all_ - entering) / matching) + (again + STATEMENT if again else 0.0)
    if walk <= min(all_, some):
        asked = walked_page(question, costs.along, falling, limit, None, most)
    else:
        asked = counted_page(question, way, falling, limit, most if some < all_ else EVERY)
    rows = rows_of(connection, asked)
    counted = min(rows[0]["counted"] if rows else 0, most)
    ordered = counted < most or walk <= min(all_, some) or some >= all_
    return counted, rows if ordered else None


def _looking_again(question: Question, costs: Costs, falling: bool, limit: int, matching: float) -> float:
    """What the page costs where many match."""
    if question.order == DISTANCE and not falling:
        return 10.0 * limit  # by small circles
    return min(costs.looking(costs.way), costs.walking(limit, matching))


def _page(
    connection: Connection,
    question: Question,
    costs: Costs,
    falling: bool,
    limit: int,
    start: Start | None,
    many: bool,
) -> list[RowMapping]:
    if question.order == DISTANCE:
        return _nearest(connection, question, costs, falling, limit, start)
    matching = max(MOST_COUNTED + 1.0, costs.matching)
    if many and costs.walking(limit, matching) < costs.looking(costs.way):
        return rows_of(connection, walked_page(question, costs.along, falling, limit, start))
    return rows_of(connection, sorted_page(question, costs.way, falling, limit, start))


def _nearest(
    connection: Connection, question: Question, costs: Costs, falling: bool, limit: int, start: Start | None
) -> list[RowMapping]:
    """Within circles that grow until they hold enough."""
    whole = question.filters.radius
    assert whole is not None
    area = costs.homes("place")
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
