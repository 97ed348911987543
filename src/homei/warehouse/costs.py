"""What a search costs by each index, in entries that are looked at: about, by property_kinds and property_terms."""

from __future__ import annotations

import functools
import math

from homei.warehouse import words
from homei.warehouse.filters import DISTANCE, ORDERS, RANGES, Filters
from homei.warehouse.kinds import Kind
from homei.warehouse.question import Question
from homei.warehouse.ways import LENGTHS

FETCHED = 5.0  # a row of the table
BRANCH = 50.0  # a kind that is merged with others
STATEMENT = 2_000.0
BEGUN = 1.5  # a home with one of the words that begin so
HAVE_PLACES = ("place", "price")  # the indexes that have coordinates


class Costs:
    """Of one question."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._homes: dict[str, float] = {}
        self._asked = [name for name in RANGES if question.filters.ends(name) != (None, None)]

    @functools.cached_property
    def way(self) -> str:
        """The index by which the fewest homes are looked at."""
        question = self._question
        ways = ["location"] if question.filters.location is not None else list(ORDERS)
        ways += ["place"] if question.box is not None else []
        ways += ["words"] if question.sought is not None else []
        return min(ways, key=self.looking)

    @functools.cached_property
    def along(self) -> str:
        """The index in which homes of a kind have the question's order."""
        question = self._question
        return "location" if question.order == "price" and question.filters.location is not None else question.order

    @functools.cached_property
    def matching(self) -> float:
        """About how many homes match, as if attributes had nothing to do with each other within a kind."""
        question = self._question
        total = sum(row["homes"] for row in question.kinds)
        found = sum(
            row["homes"] * math.prod(_share(question.filters, row, name) for name in self._asked)
            for row in question.kinds
        )
        if question.box is not None:
            found *= self._share_of_box
        for homes in question.sought.homes if question.sought is not None else ():
            found *= min(1.0, homes / max(total, 1))
        return found

    def looking(self, way: str) -> float:
        """What it costs to look at all homes that an index is entered for."""
        fetched = way == "words" or self._is_fetched(way)
        return self.entering(way) + self.homes(way) * (FETCHED if fetched else 1.0)

    def entering(self, way: str) -> float:
        """What it costs before the first home is looked at."""
        sought = self._question.sought
        if way != "words" or sought is None:
            return 0.0
        begun = any(is_beginning for _, is_beginning in words.rarest(sought))
        return BEGUN * sought.homes[-1] if begun else 0.0

    def walking(self, rows: int, matching: float) -> float:
        """What it costs to go along an index in its order until there are so many rows."""
        kinds = len(self._question.kinds)
        if self.along == DISTANCE or kinds > LENGTHS[-1]:
            return math.inf
        entered = self.homes(self.along)
        passed = min(entered, rows * max(1.0, entered / matching))
        return passed * (FETCHED if self._is_fetched(self.along) else 1.0) + BRANCH * kinds

    def homes(self, way: str) -> float:
        """About how many homes an index is entered for."""
        if way not in self._homes:
            self._homes[way] = self._entered(way)
        return self._homes[way]

    def _entered(self, way: str) -> float:
        question = self._question
        if way == "words":
            assert question.sought is not None
            return float(min(question.sought.homes))
        if way == "place":
            return sum(row["homes"] for row in question.kinds) * self._share_of_box
        # Only one index is entered by the location.
        ranged, kinds = ("price", question.kinds) if way == "location" else (way, question.everywhere)
        if ranged not in self._asked:
            return float(sum(row["homes"] for row in kinds))
        return sum(row["homes"] * _share(question.filters, row, ranged) for row in kinds)

    def _is_fetched(self, way: str) -> bool:
        """Whether conditions need more of a home than the index has."""
        question = self._question
        return question.sought is not None or (question.box is not None and way not in HAVE_PLACES)

    @functools.cached_property
    def _share_of_box(self) -> float:
        box, kinds = self._question.box, self._question.kinds
        sides = [[row[name] for row in kinds if row[name] is not None] for name in ("south", "west", "north", "east")]
        if box is None or not sides[0]:
            return 1.0
        tall = _part(min(sides[0]), max(sides[2]), box[0], box[2])
        return tall * _part(min(sides[1]), max(sides[3]), box[1], box[3])


def _share(filters: Filters, row: Kind, name: str) -> float:
    """What part of a kind's homes lies in a range, as if they lay evenly."""
    least, most = row[f"{name}_min"], row[f"{name}_max"]
    low, high = filters.ends(name)
    if least is None:
        return 1.0
    return _part(least, most, least if low is None else low, most if high is None else high)


def _part(least: float, most: float, low: float, high: float) -> float:
    inside = min(high, most) - max(low, least)
    if inside < 0:
        return 0.0
    return 1.0 if most <= least else max(inside / (most - least), 1e-6)
